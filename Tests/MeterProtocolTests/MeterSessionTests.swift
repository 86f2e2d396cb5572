import Testing
import Traces

@testable import MeterProtocol

@Suite struct MeterSessionTests {
    @Test func cleanRunOpensStreamsAndClosesInOrder() {
        var rig = SessionRig()
        rig.start()
        rig.run(seconds: 10)
        rig.stop()
        rig.run(seconds: 3)
        #expect(rig.finished == [nil])
        #expect(
            rig.sent.prefix(8).map { $0[0] } == [0x02, 0x44, 0x44, 0x44, 0x4C, 0x0F, 0x0C, 0x0E],
            "CONNECT, two identity texts, hardware id, auth, STOP, ADC, START")
        #expect(rig.sent.suffix(3).map { $0[0] } == [0x0C, 0x0F, 0x03], "last poll, STOP, DISCONNECT")
        #expect(rig.actions.suffix(2) == [.close, .finished(nil)])
        #expect(rig.count("stale_frame") == 1)
        #expect(rig.identities == 1)
        #expect(rig.session.firmware?.version == "1.9.5")
        #expect(rig.adcs.first?.temperatureCelsius == 25)
        #expect(rig.gaps.isEmpty)
        #expect(rig.samples.count > 9_800)
        rig.expectBalanced()
        let account = rig.session.account
        #expect(account.missing == 0 && account.repeated == 0 && account.rejected == 0 && account.fullReplies == 0)
    }

    @Test func pollsHoldAnAbsoluteScheduleWithTheirPhase() {
        var settings = MeterSession.Settings()
        settings.pollPeriodNanoseconds = 25_000_000
        settings.pollPhaseNanoseconds = 7_000_000
        var rig = SessionRig(settings: settings)
        rig.start()
        rig.run(seconds: 5)
        let polls = zip(rig.sent, rig.sendTimes).filter { $0.0[0] == 0x0C && $0.0[2] == 4 }.map(\.1)
        #expect(polls.count > 180)
        #expect(polls.allSatisfy { $0 % 25_000_000 == 7_000_000 })
        #expect(rig.session.traffic.skippedTurns == 0)
    }

    @Test(arguments: [1_000_000, 90_000_000] as [Int64])
    func pollPeriodIsHeldBetween20And30Milliseconds(asked: Int64) {
        var settings = MeterSession.Settings()
        settings.pollPeriodNanoseconds = asked
        let session = MeterSession(meter: "1", profile: .km003c, settings: settings)
        #expect((20_000_000...30_000_000).contains(session.settings.pollPeriodNanoseconds))
    }

    @Test(arguments: [0, 1, 2, 3] as [UInt16])
    func everyRateBalances(rate: UInt16) {
        var settings = MeterSession.Settings()
        settings.rateIndex = rate
        var rig = SessionRig(settings: settings)
        rig.start()
        rig.run(seconds: 30)
        rig.stop()
        rig.run(seconds: 3)
        #expect(rig.finished == [nil])
        let perSecond = [2, 10, 50, 1000][Int(rate)]
        #expect(rig.samples.count > perSecond * 29 && rig.samples.count <= perSecond * 30)
        #expect(rig.gaps.isEmpty)
        rig.expectBalanced()
    }

    @Test func idsWrapAndStayRight() {
        var rig = SessionRig()
        rig.start()
        rig.run(seconds: 20)
        #expect(rig.sent.count > 700)
        for (a, b) in zip(rig.sent, rig.sent.dropFirst()) { #expect(b[1] == a[1] &+ 1) }
        #expect(rig.gaps.isEmpty)
        #expect(rig.session.traffic.discardedReplies == 0)
    }

    @Test func hostStallBeyondTheRingIsAGapOfTheRightSize() {
        var rig = SessionRig()
        rig.hostStalls = [4_000_000_000..<4_200_000_000]
        rig.start()
        rig.run(seconds: 6)
        rig.stop()
        rig.run(seconds: 3)
        #expect(rig.gaps.count == 1)
        #expect(rig.gaps.first?.cause == .overrun)
        // 63 samples are kept of what passed since the poll before the stall.
        #expect((200 - 63 - 1...225 - 63).contains(rig.gaps.first?.missing ?? 0))
        #expect(rig.session.account.fullReplies == 1)
        #expect(rig.session.traffic.skippedTurns >= 6)
        rig.expectBalanced()
    }

    @Test func uptimeWrapsAfter49DaysWithoutAGap() throws {
        var rig = SessionRig()
        rig.meter.bootedAt = 0
        rig.meter.uptimeOffset = .max - 3_000
        rig.start()
        rig.run(seconds: 6)
        #expect(rig.gaps.isEmpty)
        let newest = try #require(rig.session.account.lastUptimeMilliseconds)
        #expect(newest > Int64(UInt32.max))
        #expect(rig.session.account.epochs.count == 1)
        rig.expectBalanced()
    }

    @Test func adcIsAddedToPollsWhenAsked() {
        var settings = MeterSession.Settings()
        settings.adcEveryNanoseconds = 1_000_000_000
        var rig = SessionRig(settings: settings)
        rig.start()
        rig.run(seconds: 5)
        #expect((4...6).contains(rig.adcs.count))
        #expect(rig.adcs.last?.temperatureCelsius == nil, "no temperature while a 1 kHz graph runs")
        rig.expectBalanced()
    }

    @Test func unverifiedModelTriesToStartBeforeItReadsAnyMemory() {
        var rig = SessionRig(profile: .km001c)
        rig.meter.needsAuth = false
        rig.start()
        rig.run(seconds: 2)
        #expect(rig.commands(.memoryRead) == 0)
        #expect(rig.count("protocol_unverified") == 1)
        #expect(rig.samples.count > 1_500)

        var refused = SessionRig(profile: .km001c)
        refused.start()
        refused.run(seconds: 2)
        #expect(refused.count("unverified_memory_read") == 1)
        #expect(refused.samples.count > 1_500)

        var settings = MeterSession.Settings()
        settings.readsUnverifiedMemory = false
        var forbidden = SessionRig(profile: .km001c, settings: settings)
        forbidden.start()
        forbidden.run(seconds: 2)
        #expect(forbidden.finished == [.unverifiedMemory(meter: "007965")])
        #expect(forbidden.commands(.memoryRead) == 0)
    }

    @Test func firstOpenThatFailsEndsAtOnceWithItsReason() {
        for failure in [BusFailure.forbidden, .busy(holder: "powerz"), .noDevice] {
            var rig = SessionRig()
            rig.openFailures = [failure]
            rig.start()
            rig.run(seconds: 5)
            #expect(rig.finished == [.cannotOpen(meter: "007965", failure)])
        }
    }

    @Test(arguments: Array(0..<40))
    func stopAtAnyMomentEndsWithinItsLimit(step: Int) {
        var rig = SessionRig()
        rig.start()
        rig.run(seconds: Double(step) * 0.013)
        rig.stop()
        let asked = rig.now
        rig.run(seconds: 10)
        #expect(rig.finished == [nil])
        #expect(rig.now - asked < 2_500_000_000)
        #expect(rig.actions.last == .finished(nil))
        if rig.commands(.startGraph) > 0 {
            #expect(rig.meter.graphRate == nil, "the graph is not left running")
        }
        rig.expectBalanced()
    }
}
