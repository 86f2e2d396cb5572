import Testing

@testable import MeterProtocol

@Suite struct FrameGuardTests {
    @Test(arguments: [0x04, 0x08, 0x09, 0x48, 0x4A, 0x4D] as [UInt8])
    func framesThatCouldAlterAMeterAreRefusedInEveryForm(type: UInt8) {
        for head in [type, type | 0x80] {
            for length in [1, 4, 20, 36, 64] {
                var frame = [UInt8](repeating: 0, count: length)
                frame[0] = head
                #expect(throws: ProtocolFailure.self) { try FrameGuard.check(frame) }
            }
        }
    }

    @Test func onlyTheSevenKnownTypesPassAmongAll256() {
        var passed: Set<UInt8> = []
        for type in UInt8.min...UInt8.max {
            for argument in UInt8.min...UInt8.max {
                if (try? FrameGuard.check([type, 7, argument, 0])) != nil { passed.insert(type) }
            }
        }
        #expect(passed == [0x02, 0x03, 0x0C, 0x0E, 0x0F])
    }

    @Test func memoryReadsPassOnlyFromTheKnownList() {
        func passes(_ address: UInt32, _ size: UInt32) -> Bool {
            let frame = HostRequest(id: 1, .memoryRead(MemoryRange(address: address, size: size))).bytes
            return (try? FrameGuard.check(frame)) != nil
        }
        #expect(passes(0x420, 64))
        #expect(passes(0x4420, 64))
        #expect(passes(0x0300_0C00, 64))
        #expect(passes(0x0300_0D80, 12))
        #expect(passes(0x4001_0450, 12))
        #expect(passes(0x9810_0000, 8336))
        #expect(!passes(0x4001_0450, 16))
        #expect(!passes(0x4001_0454, 12))
        #expect(!passes(0x4000_0000, 4))
        #expect(!passes(0x420, 65))
        #expect(!passes(0x420, 0))
        #expect(!passes(0x9800_0000, 16))
        #expect(!passes(0x9810_0000, 7))
        #expect(!passes(0x9810_0010, .max))
        #expect(!passes(0x990F_FFF0, 32))
    }

    @Test func masksRatesAndStrayBitsOutsideTheCapturesAreRefused() {
        let refused: [[UInt8]] = [
            [], [0x0C], [0x0C, 1, 0, 0], [0x0C, 1, 0x08, 0x00], [0x0C, 1, 0x03, 0x00], [0x0C, 1, 0x00, 0x80],
            [0x8C, 1, 0x02, 0x00], [0x0C, 1, 0x02, 0x00, 0], [0x0E, 1, 0x08, 0x00], [0x02, 1, 0x02, 0x00],
            [0x10, 1, 0, 0], [0x11, 1, 0, 0], [0x4B, 1, 0, 0],
        ]
        for frame in refused {
            #expect(throws: ProtocolFailure.self, "\(frame)") { try FrameGuard.check(frame) }
        }
    }

    @Test func refusalSaysWhy() {
        let failure = #expect(throws: ProtocolFailure.self) { try FrameGuard.check([0x08, 1, 0, 0]) }
        #expect(failure?.description == "frame of type 0x08 is not sent: it can reset, reflash or rewrite the meter")
    }
}
