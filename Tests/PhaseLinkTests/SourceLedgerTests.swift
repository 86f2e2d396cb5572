import Testing

@testable import PhaseLink

@Suite struct SourceLedgerTests {
    @Test func missingIsWhatWasGivenOutLessWhatIsStored() {
        var random = SeededGenerator(seed: 11)
        for _ in 0..<300 {
            let last = Int64.random(in: 1...60, using: &random)
            let arriving = (1...last).filter { _ in Int.random(in: 0..<4, using: &random) > 0 }
            var ledger = SourceLedger()
            let source = SourceIdentity(node: "n", boot: "b", source: "s")
            var repeats: Int64 = 0
            for number in (arriving + arriving.filter { _ in Bool.random(using: &random) }).shuffled(using: &random) {
                let isBye = number == last
                if !ledger.note(MarkerIdentity(source: source, sequence: number), byeLast: isBye ? last : nil) {
                    repeats += 1
                }
            }
            guard let account = ledger.accounts[source] else {
                #expect(arriving.isEmpty)
                continue
            }
            let byeSeen = arriving.contains(last)
            let known = byeSeen ? last : arriving.max() ?? 0
            let expected = Set(1...max(known, 1)).subtracting(arriving).sorted()
            #expect(account.missing.flatMap(Array.init) == (known == 0 ? [] : expected))
            #expect(account.missingCount == Int64(account.missing.reduce(0) { $0 + $1.count }))
            #expect(account.byeSeen == byeSeen)
            #expect(account.repeats == repeats)
            #expect(account.stored.count == Int64(arriving.count))
        }
    }

    @Test func aByeThatArrivesAloneNamesEverythingBeforeItAsMissing() {
        var ledger = SourceLedger()
        let source = SourceIdentity(node: "n", boot: "b", source: "s")
        ledger.note(MarkerIdentity(source: source, sequence: 5), byeLast: 5)
        #expect(ledger.accounts[source]?.missing == [1...4])
        #expect(!ledger.isComplete)
    }

    @Test func aHostileByeDoesNotOverflow() {
        var ledger = SourceLedger()
        let source = SourceIdentity(node: "n", boot: "b", source: "s")
        ledger.note(MarkerIdentity(source: source, sequence: .max - 1), byeLast: .max)
        let holes: [ClosedRange<Int64>] = [1...(Int64.max - 2), Int64.max...Int64.max]
        #expect(ledger.accounts[source]?.missing == holes)
    }

    @Test func aMillionOrderedEventsAreOneRange() {
        var set = SequenceSet()
        for number in 1...1_000_000 as ClosedRange<Int64> { set.insert(number) }
        #expect(set.ranges == [1...1_000_000])
    }
}
