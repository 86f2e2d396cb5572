import Testing
import Traces

@testable import MeterDriver

@Suite struct DropLedgerTests {
    static func block(_ range: ClosedRange<Int64>, epoch: Int = 0, meter: String = "A") -> SampleBlock {
        SampleBlock(
            meter: meter, epoch: epoch, requestedAtNanoseconds: 0, completedAtNanoseconds: 1,
            samples: range.map { Sample(uptimeMilliseconds: $0, vbusMicrovolts: 5_000_000, ibusMicroamperes: 1) })
    }

    static func queueGap(_ after: Int64, _ before: Int64, _ missing: Int, epoch: Int = 0) -> Gap {
        Gap(
            meter: "A", epoch: epoch, afterUptimeMilliseconds: after, beforeUptimeMilliseconds: before,
            missing: missing, cause: .queue)
    }

    @Test func droppedBlocksBecomeOneGapBeforeTheNextDelivered() {
        var ledger = DropLedger(meter: "A")
        #expect(ledger.delivering(Self.block(1...10)) == nil)
        #expect(ledger.dropped(Self.block(11...20)) == nil)
        #expect(ledger.dropped(Self.block(21...30)) == nil)
        #expect(ledger.delivering(Self.block(31...40)) == Self.queueGap(10, 31, 20))
        #expect(ledger.delivering(Self.block(41...50)) == nil)
    }

    @Test func aSessionGapAmongDroppedBlocksIsCountedOnceInTheSameHole() {
        var ledger = DropLedger(meter: "A")
        _ = ledger.delivering(Self.block(1...10))
        _ = ledger.dropped(Self.block(11...20))
        var overrun = Self.queueGap(20, 26, 5)
        overrun.cause = .overrun
        #expect(ledger.telling(overrun) == [])
        _ = ledger.dropped(Self.block(26...30))
        // 11...20 and 26...30 dropped, 21...25 lost by the meter: 20 in all.
        #expect(ledger.delivering(Self.block(31...40)) == Self.queueGap(10, 31, 20))
    }

    @Test func aRebootEndsTheHole() {
        var ledger = DropLedger(meter: "A")
        _ = ledger.delivering(Self.block(1...10))
        _ = ledger.dropped(Self.block(11...20))
        #expect(ledger.dropped(Self.block(1...5, epoch: 1)) == Self.queueGap(10, 21, 10))
        #expect(ledger.delivering(Self.block(6...9, epoch: 1)) == Self.queueGap(0, 6, 5, epoch: 1))
    }

    @Test func whatIsOpenAtTheEndIsTold() {
        var ledger = DropLedger(meter: "A")
        _ = ledger.delivering(Self.block(1...10))
        _ = ledger.dropped(Self.block(11...20))
        #expect(ledger.finish() == Self.queueGap(10, 21, 10))
        #expect(ledger.finish() == nil)
    }

    /// Whatever the consumer's pace: delivered samples plus told gaps are exactly what the producer had.
    @Test(arguments: 0..<20) func nothingIsLostFromTheBooks(seed: UInt64) async {
        var generator = SplitMix(state: seed)
        let queue = AcquisitionQueue(capacity: 3)
        let events = AcquisitionEvents(queue: queue)
        var iterator = events.makeAsyncIterator()
        var uptime: Int64 = 100
        var produced = 0
        var lost = 0
        var delivered = 0
        var told = 0
        func consume() async {
            queue.flush()
            guard queue.depth > 0 else { return }
            for _ in 0..<queue.depth {
                switch await iterator.next() {
                case .block(let block): delivered += block.samples.count
                case .gap(let gap): told += gap.missing ?? 0
                default: break
                }
            }
        }
        for _ in 0..<200 {
            if generator.next() % 10 == 0 {
                let missing = Int64(generator.next() % 7 + 1)
                lost += Int(missing)
                queue.push(
                    .gap(
                        Gap(
                            meter: "A", epoch: 0, afterUptimeMilliseconds: uptime - 1,
                            beforeUptimeMilliseconds: uptime + missing, missing: Int(missing), cause: .overrun)))
                uptime += missing
            }
            let count = Int64(generator.next() % 40 + 1)
            queue.push(.block(Self.block(uptime...(uptime + count - 1))))
            uptime += count
            produced += Int(count)
            if generator.next() % 5 == 0 { await consume() }
        }
        queue.push(.finished(HubTotals()))
        while let event = await iterator.next() {
            switch event {
            case .block(let block): delivered += block.samples.count
            case .gap(let gap): told += gap.missing ?? 0
            default: break
            }
        }
        #expect(delivered + told == produced + lost)
        #expect(told - lost == queue.dropped["A", default: 0])
    }
}

/// Seeded, so that a failure can be run again.
struct SplitMix: RandomNumberGenerator {
    var state: UInt64
    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
        return mixed ^ (mixed >> 31)
    }
}
