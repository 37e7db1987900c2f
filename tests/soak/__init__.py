"""What no test run has the time for, by one command: random calls, forks, interrupts, memory, every float32 number.

    python -m tests.soak --minutes 60 --record

runs every part, as many at once as there are processors. The parts that have an end run to it; what is left of the
time is for random calls (`tests/fuzz`), in the build that is installed and in one under the sanitizers, which is made
for it. Each part is a process, which prints in its last line how often it did what, and how often that was wrong.
`--record` keeps this in `record.json`, with the machine and the commit.
"""
