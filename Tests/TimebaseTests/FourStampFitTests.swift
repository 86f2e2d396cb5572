import Foundation
import Testing

@testable import Timebase

@Suite struct FourStampFitTests {
    /// A node whose crystal is off by `ppm` and wanders, behind a radio link.
    struct Link {
        var ppm = 40.0
        var wanderPPM = 0.0
        var asymmetryNanoseconds: Int64 = 1_000_000
        var lossFraction = 0.05
        var origin: Int64 = (1 << 58) + 12_345
        var random: SeededGenerator

        /// Host time at a node time: node runs slow by ppm, so the host gains.
        func host(_ node: Int64) -> Int64 {
            let seconds = Double(node) * 1e-9
            let period = 1_800.0
            let wander = wanderPPM * period / (2 * .pi) * (1 - cos(2 * .pi * seconds / period))
            return origin + node + Int64((ppm * seconds + wander) * 1e3)
        }

        /// The node time whose host time is given.
        func node(_ host: Int64) -> Int64 {
            var guess = host - origin
            for _ in 0..<6 { guess -= self.host(guess) - host }
            return guess
        }

        mutating func delay() -> Int64 { 1_500_000 + Int64(random.exponential(mean: 2e6)) }

        mutating func burst(_ number: Int64, atNode start: Int64, hostAsks: Bool, pings: Int = 16)
            -> [FourStampExchange]
        {
            var made: [FourStampExchange] = []
            for ping in 0..<pings {
                let sent = start + Int64(ping) * 15_000_000
                guard random.uniform() >= lossFraction else { continue }
                let out = delay() + (hostAsks ? asymmetryNanoseconds : 0)
                let back = delay() + (hostAsks ? 0 : asymmetryNanoseconds)
                let stamps: FourStamps
                if hostAsks {
                    let t1 = host(sent)
                    let t2 = node(t1 + out)
                    let t3 = t2 + 20_000
                    stamps = FourStamps(t1: t1, t2: t2, t3: t3, t4: host(t3) + back)
                } else {
                    let t2 = host(sent) + out
                    let t3 = t2 + 20_000
                    stamps = FourStamps(t1: sent, t2: t2, t3: t3, t4: node(t3 + back))
                }
                made.append(FourStampExchange(stamps: stamps, hostAsked: hostAsks, burst: number))
            }
            return made
        }
    }

    @Test(arguments: [(1, 0.0, true), (2, 1.0, true), (3, 1.0, false), (4, -1.0, true)] as [(UInt64, Double, Bool)])
    func overEightHoursTheBoundIsNeverSmallerThanTheError(seed: UInt64, wander: Double, hostAsks: Bool) throws {
        var link = Link(wanderPPM: wander, random: SeededGenerator(seed: seed))
        var exchanges: [FourStampExchange] = []
        let hours8: Int64 = 8 * 3_600 * 1_000_000_000
        for (number, start) in stride(from: Int64(0), through: hours8, by: 60_000_000_000).enumerated() {
            exchanges += link.burst(Int64(number), atNode: start, hostAsks: hostAsks)
        }
        let fit = try FourStampFit(node: "edge-0", boot: "b", exchanges: exchanges.shuffled(using: &link.random))
        var worst: Int64 = 0
        for time in stride(from: -30_000_000_000, through: hours8 + 30_000_000_000, by: 997_000_000) {
            let error = abs(fit.clock.target(atSource: time) - link.host(time))
            worst = max(worst, error)
            #expect(error <= fit.clock.bound(atSource: time))
        }
        // The asymmetry is invisible and must be in the bound, which stays that of a radio link: about 2 ms.
        #expect(worst >= 300_000)
        #expect(fit.clock.boundNanoseconds < 3_000_000)
        #expect(abs((fit.ratePPM ?? 0) - 40) < 0.5)
    }

    @Test func aRateFromLessThanAMinuteIsRefusedAndTheBoundStillHolds() throws {
        for seed in 1...40 as ClosedRange<UInt64> {
            var link = Link(ppm: seed.isMultiple(of: 2) ? 90 : -90, random: SeededGenerator(seed: seed))
            var exchanges: [FourStampExchange] = []
            let count = Int64.random(in: 1...8, using: &link.random)
            for number in 0..<count {
                exchanges += link.burst(number, atNode: number * 7_000_000_000, hostAsks: true)
            }
            let fit = try FourStampFit(node: "n", boot: "b", exchanges: exchanges)
            #expect(fit.ratePPM == nil)
            for time in stride(from: -60_000_000_000, through: 120_000_000_000, by: 1_000_000_000)
                as StrideThrough<Int64>
            {
                #expect(abs(fit.clock.target(atSource: time) - link.host(time)) <= fit.clock.bound(atSource: time))
            }
        }
    }

    @Test func longHolesBetweenBurstsWidenTheBound() throws {
        var link = Link(wanderPPM: 1, random: SeededGenerator(seed: 9))
        let minute: Int64 = 60_000_000_000
        var exchanges: [FourStampExchange] = []
        for (number, at) in [0, 1, 2, 50, 51, 52].enumerated() {
            exchanges += link.burst(Int64(number), atNode: Int64(at) * minute, hostAsks: true)
        }
        let fit = try FourStampFit(node: "n", boot: "b", exchanges: exchanges)
        for time in stride(from: 0, through: 52 * minute, by: 1_000_000_000) {
            #expect(abs(fit.clock.target(atSource: time) - link.host(time)) <= fit.clock.bound(atSource: time))
        }
    }

    @Test func burstsThatMetABusyRadioAreSetAside() throws {
        var link = Link(random: SeededGenerator(seed: 21))
        var exchanges: [FourStampExchange] = []
        for number in 0..<60 as Range<Int64> {
            var burst = link.burst(number, atNode: number * 60_000_000_000, hostAsks: true)
            if number == 30 {
                for index in burst.indices { burst[index].stamps.t4 += 150_000_000 }
            }
            exchanges += burst
        }
        let fit = try FourStampFit(node: "n", boot: "b", exchanges: exchanges)
        #expect(fit.discardedBursts >= 1 && fit.discardedBursts < 10)
        #expect(fit.clock.boundNanoseconds < 3_000_000)
    }

    @Test func contradictingStampsAreNotUsed() {
        let broken = FourStamps(t1: 100, t2: 50, t3: 500, t4: 110)
        #expect(broken.roundTripNanoseconds == nil)
        #expect(FourStamps(t1: .min, t2: 0, t3: 1, t4: .max).roundTripNanoseconds == nil)
        #expect(throws: TimebaseError.self) {
            try FourStampFit(
                node: "n", boot: "b", exchanges: [FourStampExchange(stamps: broken, hostAsked: true, burst: 0)])
        }
    }
}
