"""What a peer must serve in a real program: an interpreter with threads and children.

The arguments are the library and the name of the allocator.
"""

import ctypes
import json
import os
import subprocess
import sys
import threading

library = os.path.realpath(sys.argv[1])
with open("/proc/self/maps", encoding="utf-8") as maps:
    if library not in maps.read():
        sys.exit(f"{library} is not mapped")


def build(seed, sums):
    tree = {str(n): [n * seed, str(n * seed) * (n % 7), {"deep": [None] * (n % 50)}] for n in range(20000)}
    sums.append(len(json.loads(json.dumps(tree, sort_keys=True))))


results = []
threads = [threading.Thread(target=build, args=(seed, results)) for seed in range(1, 5)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert results == [20000] * 4, results

child = os.fork()
if child == 0:
    build(9, results)
    os._exit(0 if results[-1] == 20000 else 1)
assert os.waitpid(child, 0)[1] == 0, "a forked child failed"
# The child inherits LD_PRELOAD, so this starts another program under the peer.
said = subprocess.run(["sh", "-c", "echo started"], check=True, capture_output=True, text=True).stdout
assert said == "started\n", said

if sys.argv[2] == "tcmalloc":
    # It falls back to per-thread caches without a word.
    is_per_cpu = ctypes.CDLL(None).MallocExtension_Internal_GetPerCpuCachesActive
    is_per_cpu.restype = ctypes.c_bool
    assert is_per_cpu(), "tcmalloc's per-CPU caches are off"
    print("per-CPU caches: on")
print("python3: done")
