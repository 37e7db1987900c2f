"""What an installation says of itself."""

from __future__ import annotations

import json

import fastloss as fl
from fastloss._core.config import openmp_libraries


def test_config_is_json():
    values = fl.config()
    assert json.loads(json.dumps(values)) == values
    assert values["kernels"] in values["kernels_available"]
    assert values["threads"] >= 1
    assert values["fastloss"] == fl.__version__


def test_show_config_prints_every_value(capsys):
    fl.show_config()
    printed = capsys.readouterr().out
    for value in fl.config().values():
        for part in value if isinstance(value, list) else [value]:
            assert str(part) in printed


def test_openmp_libraries(tmp_path):
    maps = tmp_path / "maps"
    maps.write_text(
        "7f00-7f01 r-xp 00000000 08:01 12 /usr/lib/libgomp.so.1.0.0\n"
        "7f01-7f02 r--p 00000000 08:01 12 /usr/lib/libgomp.so.1.0.0\n"
        "7f03-7f04 r-xp 00000000 08:01 13 /env/torch.libs/libgomp-a34b.so.1\n"
        "7f05-7f06 r-xp 00000000 08:01 14 /env/lib/libiomp5.so\n"
        "7f07-7f08 r-xp 00000000 08:01 15 /usr/lib/libm.so.6\n"
        "7f09-7f0a rw-p 00000000 00:00 0\n"
    )
    assert openmp_libraries(maps) == [
        "/env/lib/libiomp5.so",
        "/env/torch.libs/libgomp-a34b.so.1",
        "/usr/lib/libgomp.so.1.0.0",
    ]
    assert openmp_libraries(tmp_path / "none") == []
