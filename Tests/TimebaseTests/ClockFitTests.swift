import Testing

@testable import Timebase

@Suite struct ClockFitTests {
    private func fit(_ stretches: [[(Int64, Int64)]]) throws -> ClockFit {
        try ClockFit(
            source: .meter("000001", epoch: 0), target: .host,
            stretches: stretches.map { knots in
                ClockFit.Stretch(
                    knots: knots.map { ClockFit.Knot(source: $0.0, target: $0.1) }, residualNanoseconds: 0,
                    boundNanoseconds: 1000, pairs: knots.count)
            })
    }

    @Test func mappingThereAndBackStaysWithinOneNanosecond() throws {
        var random = SeededGenerator(seed: 7)
        for _ in 0..<200 {
            var knots: [(Int64, Int64)] = [(Int64.random(in: 0...1 << 40, using: &random), 1_760_000_000_000_000_000)]
            for _ in 0..<4 {
                let last = try #require(knots.last)
                let run = Int64.random(in: 1_000_000_000...600_000_000_000, using: &random)
                let rate = 1 + (random.uniform() - 0.5) * 4e-4
                knots.append((last.0 + run, last.1 + Int64(Double(run) * rate)))
            }
            let fit = try fit([knots])
            for _ in 0..<50 {
                let reach = (knots[0].0 - 5_000_000_000)...(knots[4].0 + 5_000_000_000)
                let time = Int64.random(in: reach, using: &random)
                #expect(abs(fit.source(atTarget: fit.target(atSource: time)) - time) <= 1)
            }
            for knot in knots {
                #expect(fit.target(atSource: knot.0) == knot.1)
                #expect(fit.source(atTarget: knot.1) == knot.0)
            }
        }
    }

    @Test func aForwardStepLeavesAHoleThatMapsToTheCut() throws {
        let fit = try fit([[(0, 0), (1_000, 1_000)], [(1_100, 1_450), (2_000, 2_350)]])
        #expect(fit.steps.count == 1)
        #expect(fit.steps[0].sizeNanoseconds == 350)
        #expect(fit.source(atTarget: 1_200) == 1_050)
        #expect(fit.source(atTarget: 500) == 500)
        #expect(fit.source(atTarget: 2_000) == 1_650)
        #expect(!fit.isAmbiguous(target: 1_200))
    }

    @Test func aBackwardStepMakesTimesAmbiguous() throws {
        let fit = try fit([[(0, 0), (1_000, 1_000)], [(1_100, 750), (2_000, 1_650)]])
        #expect(fit.steps[0].sizeNanoseconds == -350)
        #expect(fit.isAmbiguous(target: 900))
        #expect(fit.source(atTarget: 900) == 900)
        #expect(!fit.isAmbiguous(target: 300))
        #expect(!fit.isAmbiguous(target: 1_500))
    }

    @Test func theBoundGrowsOutsideTheValidityWindow() throws {
        let fit = try fit([[(0, 0), (1_000_000_000, 1_000_040_000)]])
        #expect(fit.bound(atSource: 500_000_000) == 1000)
        #expect(fit.bound(atSource: 101_000_000_000) == 1000 + 200_000)
        #expect(abs(fit.rateErrorPPM(atSource: 0) - 40) < 1e-9)
    }

    @Test func knotsOutOfOrderAreRefused() {
        #expect(throws: TimebaseError.unorderedKnots(source: .meter("000001", epoch: 0), index: 1)) {
            try fit([[(10, 10), (10, 20)]])
        }
    }
}
