import Testing
import Traces

@testable import MeterProtocol

@Suite struct SampleLedgerTests {
    struct Book {
        var ledger: SampleLedger
        var now: Int64 = 10_000_000_000
        var outputs: [SampleLedger.Output] = []

        init(step: Int64 = 1) { ledger = SampleLedger(meter: "m", stepMilliseconds: step) }

        mutating func reply(_ uptimes: [UInt32], after milliseconds: Int64 = 40) {
            now += milliseconds * 1_000_000
            let bytes = QueuePayload.encode(
                uptimes.map {
                    QueueSample(
                        uptimeMilliseconds: $0, vbusMicrovolts: $0 == 0 ? 0 : 5_000_000,
                        ibusMicroamperes: $0 == 0 ? 0 : 7)
                })
            outputs += bytes.withUnsafeBytes {
                ledger.take($0, requestedAtNanoseconds: now - 1_000_000, completedAtNanoseconds: now)
            }
        }

        var gaps: [Gap] { outputs.compactMap { if case .gap(let gap) = $0 { gap } else { nil } } }
        var uptimes: [Int64] {
            outputs.flatMap { output -> [Int64] in
                if case .block(let block) = output { block.samples.map(\.uptimeMilliseconds) } else { [] }
            }
        }
    }

    @Test func overrunIsAGapOfItsSizeInTheMiddleOfTheRow() {
        var book = Book()
        book.reply(Array(1000..<1040))
        book.reply(Array(1100..<1163), after: 123)
        #expect(book.uptimes == Array(1000..<1040) + Array(1100..<1163))
        #expect(
            book.gaps == [
                Gap(
                    meter: "m", epoch: 0, afterUptimeMilliseconds: 1039, beforeUptimeMilliseconds: 1100, missing: 60,
                    cause: .overrun)
            ])
        #expect(book.ledger.account.fullReplies == 1)
        #expect(book.ledger.account.isBalanced(stepMilliseconds: 1))
    }

    @Test func tornZeroAndOutOfOrderSamplesAreRejectedAndTheirPlacesDeclared() {
        var book = Book()
        var uptimes = Array(1000 as UInt32..<1040)
        uptimes[5] = 0
        uptimes[15] = 3_000_000
        uptimes.swapAt(25, 26)
        book.reply(uptimes)
        book.reply(Array(1040..<1080))
        let account = book.ledger.account
        #expect(account.rejected == 3)
        #expect(account.missing == 3)
        #expect(account.received == 77)
        #expect(account.epochs.count == 1)
        #expect(book.gaps.map(\.cause) == [.transfer, .transfer, .transfer])
        #expect(account.isBalanced(stepMilliseconds: 1))
    }

    @Test func repeatedReplyIsCountedOnceForEachSample() {
        var book = Book()
        book.reply(Array(1000..<1044))
        book.reply(Array(1000..<1063))
        #expect(book.ledger.account.repeated == 44)
        #expect(book.uptimes == Array(1000..<1063))
        #expect(book.gaps.isEmpty)
    }

    @Test func rebootWithLowUptimesIsANewEpochNotARowOfRepeats() {
        var book = Book()
        book.reply(Array(2000..<2040))
        book.ledger.streamRestarts(.disconnected)
        // Unplugged for 1.6 s, rebooted: its clock is now below where it was.
        book.reply(Array(1500..<1530), after: 1_600)
        #expect(book.ledger.account.epochs.map(\.epoch) == [0, 1])
        #expect(book.ledger.account.repeated == 0)
        #expect(book.gaps.map(\.missing) == [nil])
        #expect(book.ledger.account.isBalanced(stepMilliseconds: 1))
    }

    @Test func outageWithPowerKeptContinuesTheEpochAlsoAcrossTheWrap() {
        var book = Book()
        book.reply((0..<40).map { UInt32.max - 100 + $0 })
        book.ledger.streamRestarts(.session)
        book.reply((0..<30).map { 5_000 + $0 }, after: 5_130)
        #expect(book.ledger.account.epochs.count == 1)
        #expect(book.gaps.map(\.cause) == [.session])
        #expect(book.uptimes.last == Int64(UInt32.max) + 1 + 5_029)
        #expect(book.ledger.account.isBalanced(stepMilliseconds: 1))
    }

    @Test func clockThatStartsAnewWithoutWarningIsBelievedAfterThreeSamples() {
        var book = Book()
        book.reply(Array(900_000..<900_040))
        book.reply([300, 301])
        #expect(book.ledger.account.epochs.count == 1)
        book.reply([302, 303])
        #expect(book.ledger.account.epochs.count == 2)
        #expect(book.uptimes.suffix(4) == [300, 301, 302, 303])
        #expect(book.ledger.account.rejected == 0)
    }

    @Test func lastSamplesBehindAGapAreTakenAtTheEnd() {
        var book = Book(step: 20)
        book.reply([1000, 1020, 1040])
        book.reply([1120, 1140], after: 100)
        #expect(book.uptimes.count == 3)
        book.outputs += book.ledger.finish(atNanoseconds: book.now)
        #expect(book.uptimes == [1000, 1020, 1040, 1120, 1140])
        #expect(book.gaps.map(\.missing) == [3])
        #expect(book.ledger.account.isBalanced(stepMilliseconds: 20))
    }

    @Test func gravestCauseSinceTheLastSampleNamesTheGap() {
        var book = Book()
        book.reply(Array(1000..<1010))
        book.ledger.noteLoss(.transfer)
        book.ledger.noteLoss(.session)
        book.ledger.noteLoss(.overrun)
        book.reply(Array(1050..<1060), after: 50)
        book.reply(Array(1080..<1090), after: 30)
        #expect(book.gaps.map(\.cause) == [.session, .overrun])
    }

    @Test func randomStreamsAlwaysBalance() {
        var g = SeededGenerator(seed: 11)
        for _ in 0..<200 {
            var book = Book()
            var uptime = UInt32.random(in: 1 ... .max, using: &g)
            for _ in 0..<30 {
                let count = Int.random(in: 0...63, using: &g)
                var row = (0..<count).map { uptime &+ UInt32($0) }
                uptime = uptime &+ UInt32(count)
                switch Int.random(in: 0...7, using: &g) {
                case 0: uptime = uptime &+ .random(in: 1...200, using: &g)
                case 1 where count > 0: row[Int.random(in: 0..<count, using: &g)] = .random(in: 0 ... .max, using: &g)
                case 2 where count > 1: row.swapAt(0, count - 1)
                case 3: row = row + row
                case 4: uptime = .random(in: 1...1000, using: &g)
                case 5: book.ledger.streamRestarts(.session)
                default: break
                }
                book.reply(row, after: Int64(count))
            }
            book.outputs += book.ledger.finish(atNanoseconds: book.now)
            let account = book.ledger.account
            #expect(account.isBalanced(stepMilliseconds: 1))
            #expect(account.received == book.uptimes.count)
            #expect(account.missing == book.gaps.reduce(0) { $0 + ($1.missing ?? 0) })
        }
    }
}
