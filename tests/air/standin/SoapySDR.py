"""A stand-in for SoapySDR with its documented calls: what it sends is what it hears.

Samples go to the file that the device's arguments name, as in ``driver=loopback,path=air.cf32``.
"""

# ruff: noqa: N802, N803

import os

import numpy as np

SOAPY_SDR_TX, SOAPY_SDR_RX = 0, 1
SOAPY_SDR_CF32 = "CF32"
SOAPY_SDR_END_BURST = 2
SOAPY_SDR_TIMEOUT = -1
SOAPY_SDR_OVERFLOW = -4
_NAMES = {SOAPY_SDR_TIMEOUT: "TIMEOUT", SOAPY_SDR_OVERFLOW: "OVERFLOW"}
_MTU = 1000


def errToStr(code):
    return _NAMES.get(code, "UNKNOWN")


class StreamResult:
    def __init__(self, ret, flags=0):
        self.ret, self.flags, self.timeNs = ret, flags, 0


class Device:
    def __init__(self, args):
        self.args = dict(pair.split("=", 1) for pair in args.split(","))
        if self.args.get("driver") != "loopback":
            raise RuntimeError("SoapySDR::Device::make() no match")
        self.settings, self.calls = {}, []

    def setSampleRate(self, direction, channel, rate):
        if rate > 61e6:
            raise RuntimeError("setSampleRate: out of range")
        self.settings["rate"] = rate

    def setFrequency(self, direction, channel, frequency):
        self.settings["frequency"] = frequency

    def setGain(self, direction, channel, gain):
        self.settings["gain"] = gain

    def setAntenna(self, direction, channel, name):
        self.settings["antenna"] = name

    def getStreamMTU(self, stream):
        return _MTU

    def setupStream(self, direction, format, channels):
        assert (format, list(channels)) == (SOAPY_SDR_CF32, [0])
        mode = "wb" if direction == SOAPY_SDR_TX else "rb"
        return {"file": open(self.args["path"], mode), "active": False, "reads": 0}

    def activateStream(self, stream, flags=0, timeNs=0, numElems=0):
        assert self.settings["rate"]
        assert self.settings["frequency"]
        stream["active"] = True
        return 0

    def writeStream(self, stream, buffs, numElems, flags, timeNs=0, timeoutUs=100000):
        assert stream["active"]
        assert buffs[0].dtype == np.complex64
        count = min(numElems, _MTU)
        stream["file"].write(buffs[0][:count].tobytes())
        return StreamResult(count)

    def readStream(self, stream, buffs, numElems, flags, timeNs, timeoutUs=100000):
        assert stream["active"]
        stream["reads"] += 1
        if stream["reads"] % 3 == 0:
            return StreamResult(SOAPY_SDR_TIMEOUT)
        if self.args.get("overflow") and stream["reads"] > 4:
            return StreamResult(SOAPY_SDR_OVERFLOW)
        count = min(numElems, _MTU, len(buffs[0]))
        data = stream["file"].read(8 * count)
        heard = np.zeros(count, np.complex64)
        heard[: len(data) // 8] = np.frombuffer(data, np.complex64)
        buffs[0][:count] = heard
        return StreamResult(count)

    def deactivateStream(self, stream, flags=0, timeNs=0):
        stream["active"] = False
        return 0

    def closeStream(self, stream):
        stream["file"].close()
        if self.args.get("log"):
            with open(self.args["log"], "a") as log:
                log.write(f"{sorted(self.settings.items())} {os.getpid()}\n")
