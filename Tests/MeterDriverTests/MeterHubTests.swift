import MeterProtocol
import Testing
import Traces

@testable import MeterDriver
@testable import VirtualBench

@Suite struct MeterHubTests {
    @Test func elevenMetersLoseNothing() async throws {
        let bench = virtualBench(meters: 11) { $0.recordsSamples = true }
        let run = try await HubRun.record(bench, seconds: 5)
        #expect(run.audit() == [])
        #expect(run.totals.meters.count == 11)
        for counters in run.totals.meters {
            #expect(counters.missing == 0)
            #expect(counters.received >= 5000)
            #expect(counters.link == .stopped)
            #expect(counters.traffic.reconnects == 0)
        }
        #expect(bench.violations.isEmpty)
        // What came is what the meters' rings held, value for value.
        for m in 0..<11 {
            let log = bench.world.present { state in state.meters[m].sampleLog }
            let truth = Dictionary(log.map { ($0.uptimeMilliseconds, $0) }, uniquingKeysWith: { $1 })
            let samples = run.blocks.filter { $0.meter == BenchDescription.serial(m) }.flatMap(\.samples)
            let wrong = samples.filter { sample in
                let made = truth[sample.uptimeMilliseconds]
                return made?.vbusMicrovolts != sample.vbusMicrovolts
                    || made?.ibusMicroamperes != sample.ibusMicroamperes
            }
            #expect(wrong.isEmpty)
        }
    }

    @Test func metersWithOscillatorErrorsAreCountedByTheirOwnClock() async throws {
        var description = BenchDescription(boards: 3, seed: 5, clock: .virtual)
        description.isIdeal = false
        let run = try await HubRun.record(VirtualBench(description), seconds: 4)
        #expect(run.audit() == [])
        #expect(run.totals.meters.allSatisfy { $0.missing == 0 && $0.received > 3900 })
    }

    @Test func sixtyFourMetersLoseNothing() async throws {
        let run = try await HubRun.record(virtualBench(meters: 64), seconds: 1)
        #expect(run.audit() == [])
        #expect(run.totals.meters.count == 64)
        #expect(run.totals.meters.allSatisfy { $0.missing == 0 && $0.received >= 1000 })
    }

    @Test func pollsOfManyMetersAreSpreadOverThePeriod() async throws {
        let run = try await HubRun.record(virtualBench(meters: 10), seconds: 1)
        let phases = run.totals.meters.map { counters -> Int64 in
            let requests = run.blocks.filter { $0.meter == counters.meter.name }.map(\.requestedAtNanoseconds)
            return requests[requests.count / 2] % 25_000_000 / 500_000
        }
        #expect(Set(phases).count == 10)
    }

    @Test func theHubStopsWhenItsTimeIsUp() async throws {
        let run = try await HubRun.record(virtualBench(meters: 2), seconds: 2)
        for counters in run.totals.meters {
            // The last poll may be a period late; the start of the slower meter is waited for.
            #expect((2000...2400).contains(counters.received))
        }
    }

    @Test func aConsumerThatIsTooSlowLosesBlocksButNotTheBooks() async throws {
        let bench = virtualBench(meters: 3)
        var settings = HubSettings()
        settings.overflow = .count
        settings.queueCapacity = 100
        settings.realtimePriority = nil
        settings.durationNanoseconds = 3_000_000_000
        let hub = MeterHub(settings: settings) { bench.makeBus() }
        _ = try await hub.start()
        // Nobody consumes until all is over.
        while !hub.snapshot().allSatisfy({ $0.link == .stopped }) { try await Task.sleep(for: .milliseconds(5)) }
        let totals = await hub.stop()
        var run = HubRun()
        for await event in hub.events {
            if case .block(let block) = event { run.blocks.append(block) }
            if case .gap(let gap) = event { run.gaps.append(gap) }
        }
        run.totals = totals
        #expect(totals.imbalances == [])
        #expect(totals.meters.allSatisfy { $0.droppedByQueue > 1000 && $0.missing == $0.droppedByQueue })
        for counters in totals.meters {
            let name = counters.meter.name
            #expect(run.received(name) == counters.received)
            #expect(run.missing(name) == counters.missing)
            #expect(run.gaps.allSatisfy { $0.cause == .queue })
        }
    }

    @Test func stoppingTwiceAnswersTheSameBooks() async throws {
        let bench = virtualBench(meters: 1)
        var settings = HubSettings()
        settings.realtimePriority = nil
        let hub = MeterHub(settings: settings) { bench.makeBus() }
        _ = try await hub.start()
        let first = await hub.stop()
        let second = await hub.stop()
        #expect(first == second)
        await #expect(throws: DriverFailure.self) { try await hub.start() }
    }

    @Test func stoppingAHubThatNeverStartedAnswersEmptyBooks() async {
        let bench = virtualBench(meters: 1)
        let hub = MeterHub { bench.makeBus() }
        #expect(await hub.stop() == HubTotals())
    }

    @Test func nothingPluggedInIsSaidAtTheStart() async {
        let bench = virtualBench(meters: 0)
        let hub = MeterHub { bench.makeBus() }
        await #expect(throws: DriverFailure.noneFound) { try await hub.start() }
        // The consumer's loop ends too.
        for await event in hub.events { if case .block = event { Issue.record("a block from nowhere") } }
    }

    @Test func aBusThatCannotBeMadeIsSaidAtTheStart() async {
        let hub = MeterHub { () throws(DriverFailure) in throw DriverFailure.usbUnavailable(code: -99, name: "OTHER") }
        await #expect(throws: DriverFailure.usbUnavailable(code: -99, name: "OTHER")) { try await hub.start() }
        #expect(await hub.stop() == HubTotals())
    }

    @Test func duplicateAndEmptySerialsAreKeptApartByPort() async throws {
        let bench = virtualBench(meters: 4) {
            $0.faults = [Fault(.duplicateSerial, target: "VB0002"), Fault(.emptySerial, target: "VB0003")]
        }
        let run = try await HubRun.record(bench, seconds: 1)
        #expect(run.audit() == [])
        #expect(run.totals.meters.map(\.meter.name) == ["9-1.1", "9-1.2", "9-1.3", "VB0004"])
        #expect(run.totals.meters.allSatisfy { $0.received >= 1000 })
    }
}
