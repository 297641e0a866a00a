"""What the cores allow: a computation in one process, against half of it in each of two at once."""

import subprocess
import sys
import time

MULTIPLICATIONS = 6_000  # of matrices of 256 x 256, on one thread


def limit_of_cores() -> float:
    """Time of two processes with half the computation each over that of one with all of it."""
    return _seconds([MULTIPLICATIONS // 2] * 2) / _seconds([MULTIPLICATIONS])


def _seconds(shares: list[int]) -> float:
    """Seconds until processes that start together have all done their shares."""
    command = [sys.executable, __file__]
    processes = [
        subprocess.Popen([*command, str(share)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for share in shares
    ]
    for process in processes:
        process.stdout.readline()  # it is ready
    started = time.perf_counter()
    for process in processes:
        process.stdin.close()
    for process in processes:
        process.wait()
    return time.perf_counter() - started


def main() -> None:
    import torch  # here, because whoever imports this module needs none

    torch.set_num_threads(1)
    matrix = torch.ones(256, 256)
    print("ready", flush=True)
    sys.stdin.read()
    for _ in range(int(sys.argv[1])):
        matrix @ matrix


if __name__ == "__main__":
    main()
