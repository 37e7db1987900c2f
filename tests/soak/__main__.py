from tests.soak.runner import main

main()
