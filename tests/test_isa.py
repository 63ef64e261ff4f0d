"""Which instructions each level may use, by disassembly: the baseline is plain x86-64."""

import re
import shutil
import subprocess
from importlib import util

import pytest

OBJDUMP = shutil.which("objdump")
BASELINE = util.find_spec("sparsefm._core_baseline")

if OBJDUMP is None or BASELINE is None:
    pytest.skip("needs objdump and the built modules", allow_module_level=True)
if util.find_spec("sparsefm._core_v3") is None:
    pytest.skip("this build has no levels", allow_module_level=True)

# Mnemonics and registers that came after SSE2, the last extension that every x86-64 processor has.
# Not tzcnt: older processors run it as bsf, and compilers use it where both mean the same.
NEWER = re.compile(
    r"""v\w+ | %[yz]mm\d+ | %k\d                                                 # AVX, AVX-512
    | addsubp[sd] | h(add|sub)p[sd] | lddqu | mov(dd|shd|sld)up | fisttp\w*      # SSE3
    | pshufb | ph(add|sub)(w|d|sw) | pmaddubsw | pmulhrsw | psign[bwd]           # SSSE3
    | palignr | pabs[bwd]
    | p?blend\w+ | dpp[sd] | (extract|insert)ps | movntdqa | mpsadbw | packusdw  # SSE4.1
    | pcmpeqq | pextr[bdq] | pinsr[bdq] | p(max|min)(s[bd]|u[wd]) | pmov[sz]x\w+
    | phminposuw | pmuldq | pmulld | ptest | round[sp][sd]
    | pcmp[ei]str[im] | pcmpgtq | crc32\w* | popcnt[wlq]?                        # SSE4.2
    | aes\w+ | pclmul\w+ | sha(1|256)\w+ | gf2p8\w+
    | andn | bextr | bls(i|r|msk) | bzhi | mulx | p(dep|ext) | rorx | sarx | sh[lr]x
    | lzcnt[wlq]? | movbe[wlq]? | ad[co]x | cmpxchg16b | lahf | sahf
    | rd(rand|seed|pid) | x(get|set)bv | x(save|rstor)\w* | cl(flushopt|wb) | prefetchwt?1?""",
    re.VERBOSE,
)


def newer(module):
    """Return the mnemonics and registers in a module's code that plain x86-64 does not have."""
    command = [OBJDUMP, "-d", "--no-show-raw-insn", util.find_spec(f"sparsefm.{module}").origin]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    instructions = re.findall(r"(?m)^ *[0-9a-f]+:\t([^<#\n]+)", done.stdout)
    assert len(instructions) > 1000
    words = {word for text in set(instructions) for word in re.findall(r"%?\w+", text)}
    assert {"mov", "lea", "call", "%rax", "%xmm0"} <= words
    return {word for word in words if NEWER.fullmatch(word)}


def test_the_baseline_is_plain_x86_64():
    assert newer("_core_baseline") == set(), "or did CXXFLAGS name a processor?"


def test_the_module_that_asks_the_processor_is_plain_x86_64():
    # xgetbv is GCC's own, in what __builtin_cpu_supports reads: only where cpuid says it exists.
    assert newer("_cpu") <= {"xgetbv"}


def test_the_levels_use_what_they_are_for():
    v3, v4 = newer("_core_v3"), newer("_core_v4")
    assert {"%ymm0", "vmulps", "vmulpd"} <= v3
    assert not {word for word in v3 if word.startswith(("%zmm", "%k"))}
    assert {"%zmm0", "%k1"} <= v4


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("vaddps %ymm1 %ymm0 %zmm31 %k7 pshufb ptest roundss popcnt popcntl crc32q pmulld", True),
        ("haddps lddqu movddup movshdup pinsrd pmovzxbw shlx sarx rorx andn mulx lzcnt", True),
        ("mov movups mulpd pshufd pshufhw pextrw pinsrw pmaxub pminsw sqrtsd rsqrtps", False),
        ("cvttsd2si shl shrd rol ror sar tzcnt pause prefetcht0 cmpxchg %xmm15 %rax xchg", False),
    ],
)
def test_what_counts_as_newer(text, found):
    assert {bool(NEWER.fullmatch(word)) for word in text.split()} == {found}
