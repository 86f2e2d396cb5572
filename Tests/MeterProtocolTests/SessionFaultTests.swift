import Testing
import Traces

@testable import MeterProtocol

/// Each fault of the reference against a streaming session, and each fault in each step of opening.
@Suite struct SessionFaultTests {
    func streaming(_ prepare: (inout SessionRig) -> Void) -> SessionRig {
        var rig = SessionRig()
        prepare(&rig)
        rig.start()
        rig.run(seconds: 12)
        rig.stop()
        rig.run(seconds: 4)
        #expect(rig.finished == [nil])
        rig.expectBalanced()
        #expect(rig.samples.count > 6_000)
        return rig
    }

    let later: Int64 = 4_000_000_000

    @Test func lostReplyIsRetriedAndItsSamplesDeclared() {
        let rig = streaming { $0.pollFaults = [(later, .dropReply)] }
        #expect(rig.session.traffic.timeouts == 1)
        #expect(rig.gaps.count == 1)
        #expect(rig.gaps.first?.cause == .transfer)
        #expect(rig.session.traffic.reconnects == 0)
    }

    @Test func lateReplyIsKnownByItsIdAndDropped() {
        let rig = streaming { $0.pollFaults = [(later, .delayReply(260_000_000))] }
        #expect(rig.session.traffic.timeouts == 1)
        #expect(rig.gaps.allSatisfy { $0.cause == .transfer })
    }

    @Test func wrongIdGarbledAndShortRepliesAreDiscarded() {
        for fault in [SessionRig.Fault.wrongID, .garbleReply, .truncateReply] {
            let rig = streaming { $0.pollFaults = [(later, fault)] }
            #expect(rig.session.traffic.discardedReplies >= 1, "\(fault)")
            #expect(rig.gaps.count == 1, "\(fault)")
            #expect(rig.gaps.first?.cause == .transfer, "\(fault)")
        }
    }

    @Test func repeatedPrefixIsDroppedAndCounted() {
        let rig = streaming { $0.pollFaults = [(later, .repeatPrefix)] }
        #expect(rig.session.account.repeated == 20)
        #expect(rig.gaps.isEmpty)
    }

    @Test func stallIsClearedAndTheStreamGoesOn() {
        for fault in [SessionRig.Fault.failIn(.stall), .failOut(.stall)] {
            let rig = streaming { $0.pollFaults = [(later, fault)] }
            #expect(rig.session.traffic.stalls == 1)
            #expect(rig.actions.contains(.clearHalt))
            #expect(rig.session.traffic.reconnects == 0)
        }
    }

    @Test func busErrorIsRetriedThenTheChannelIsOpenedAnew() {
        let once = streaming { $0.pollFaults = [(later, .failIn(.inputOutput))] }
        #expect(once.session.traffic.reconnects == 0)
        let thrice = streaming { rig in
            rig.pollFaults = (0..<3).map { _ in (later, .failOut(.inputOutput)) }
        }
        #expect(thrice.session.traffic.reconnects == 1)
        #expect(thrice.gaps.map(\.cause) == [.session])
    }

    @Test func sessionEndedByTheMeterIsOpenedAgain() {
        let rig = streaming { $0.pollFaults = [(later, .unaskedBefore)] }
        #expect(rig.session.traffic.sessionsLost == 1)
        #expect(rig.gaps.map(\.cause) == [.session])
        #expect(rig.session.account.epochs.count == 1)
        #expect(rig.commands(.streamingAuth) == 2)
    }

    @Test func fiveSecondsOfHostSilenceEndTheSessionAndItComesBack() {
        let rig = streaming { $0.hostStalls = [4_000_000_000..<9_300_000_000] }
        #expect(rig.session.traffic.sessionsLost >= 1)
        #expect(rig.gaps.count == 1)
        #expect((rig.gaps.first?.missing ?? 0) > 5_000)
        #expect(rig.gaps.first?.cause == .session)
    }

    @Test func unplugAndReplugWithPowerKeptContinuesTheEpoch() {
        let rig = streaming { $0.pollFaults = [(later, .unplug(returnsAfter: 900_000_000, reboot: false))] }
        #expect(rig.session.traffic.reconnects >= 1)
        #expect(rig.session.account.epochs.count == 1)
        #expect(rig.gaps.map(\.cause) == [.disconnected])
        #expect((rig.gaps.first?.missing ?? 0) > 900)
        #expect(rig.count("device_returned") == 1)
    }

    @Test func rebootBeginsANewEpochWithAGapOfUnknownSize() {
        let rig = streaming { $0.pollFaults = [(later, .unplug(returnsAfter: 900_000_000, reboot: true))] }
        #expect(rig.session.account.epochs.map(\.epoch) == [0, 1])
        #expect(rig.gaps.count == 1)
        #expect(rig.gaps.first?.missing == nil)
        #expect(rig.gaps.first?.cause == .disconnected)
        #expect(rig.count("meter_rebooted") == 1)
    }

    @Test func graphThatStopsInsideTheMeterIsRestarted() {
        var rig = SessionRig()
        rig.start()
        rig.run(seconds: 4)
        rig.meter.graphRate = nil
        rig.run(seconds: 6)
        rig.stop()
        rig.run(seconds: 3)
        #expect(rig.finished == [nil])
        #expect(rig.session.traffic.graphRestarts == 1)
        #expect(rig.gaps.map(\.cause) == [.session])
        #expect((2_900...3_300).contains(rig.gaps.first?.missing ?? 0))
        rig.expectBalanced()
    }

    @Test func meterFallenBackToLevelZeroIsNoticed() {
        var rig = SessionRig()
        rig.start()
        rig.run(seconds: 4)
        rig.meter.dropSession()
        rig.run(seconds: 4)
        rig.stop()
        rig.run(seconds: 3)
        #expect(rig.session.traffic.sessionsLost == 1)
        #expect(rig.samples.count > 7_000)
        rig.expectBalanced()
    }

    @Test func startRefusedOnceIsTriedAgain() {
        let once = streaming { $0.meter.rejectsStart = 1 }
        #expect(once.commands(.startGraph) == 2)
        let thrice = streaming { $0.meter.rejectsStart = 3 }
        #expect(thrice.commands(.connect) >= 2, "a full reconnect cures it")
    }

    @Test func startRefusedForeverFailsWithItsReason() {
        var rig = SessionRig()
        rig.meter.rejectsStart = .max
        rig.start()
        rig.run(seconds: 60)
        #expect(rig.finished == [.startRefused(meter: "007965")])
    }

    @Test func refusedCredentialLeadsToTheNextAfterASecond() throws {
        let rig = streaming { $0.meter.refusesAuthLevels = 2 }
        let auths = zip(rig.sent, rig.sendTimes).filter { $0.0[0] == 0x4C }.map(\.1)
        #expect(auths.count == 3)
        for (a, b) in zip(auths, auths.dropFirst()) { #expect(b - a >= 1_000_000_000) }
        let credentials = rig.meter.received.compactMap { request -> [UInt8]? in
            if case .known(let known) = request, case .streamingAuth(let auth) = known.command {
                return auth.credential
            }
            return nil
        }
        #expect(credentials.first == rig.meter.hardwareID)
        #expect(credentials.dropFirst().first == Array("007965 4CDDD".utf8))
    }

    @Test func unreadableHardwareIdLeadsToTheNextCredential() {
        let rig = streaming { $0.meter.notReadable = [MemoryMap.hardwareID] }
        #expect(rig.commands(.streamingAuth) == 1)
    }

    @Test func authRefusedForeverFailsWithItsReason() {
        var rig = SessionRig()
        rig.meter.refusesAuthLevels = .max
        rig.start()
        rig.run(seconds: 60)
        #expect(rig.finished == [.authRefused(meter: "007965")])
    }

    @Test func otherModelsVariantsAreTaken() {
        let km002c = streaming { rig in
            rig.meter.answersErrorToConnect = 1
            rig.meter.grantsWithoutEncryptedFlag = true
        }
        #expect(km002c.count("old_session") == 1)
        #expect(km002c.commands(.connect) == 2)
    }

    @Test func meterThatNeverAnswersFailsWithItsReason() {
        var rig = SessionRig()
        rig.faults = Dictionary(uniqueKeysWithValues: (1...400).map { ($0, .dropReply) })
        rig.start()
        rig.run(seconds: 120)
        #expect(rig.finished == [.noAnswer(meter: "007965", to: "CONNECT")])
    }

    @Test func meterThatStaysAwayIsGivenUpAfterItsLimit() {
        var settings = MeterSession.Settings()
        settings.absenceLimitNanoseconds = 20_000_000_000
        var rig = SessionRig(settings: settings)
        rig.pollFaults = [(later, .unplug(returnsAfter: 1_000_000_000_000, reboot: true))]
        rig.start()
        rig.run(seconds: 60)
        guard case .gone(let meter, let seconds)? = rig.finished.first else {
            Issue.record("not given up: \(rig.finished)")
            return
        }
        #expect(meter == "007965" && seconds >= 20)
        rig.expectBalanced()
    }

    /// The fault matrix: every transfer fault at every OUT frame of opening and of the first polls.
    @Test(arguments: [
        SessionRig.Fault.dropReply, .delayReply(260_000_000), .garbleReply, .truncateReply, .wrongID, .unaskedBefore,
        .failOut(.stall), .failIn(.stall), .failOut(.inputOutput), .failIn(.inputOutput), .failIn(.overflow),
        .failIn(.other(-99)), .unplug(returnsAfter: 1_500_000_000, reboot: true),
        .unplug(returnsAfter: 1_500_000_000, reboot: false),
    ])
    func everyFaultInEveryStepRecovers(fault: SessionRig.Fault) {
        for frame in 1...12 {
            var rig = SessionRig()
            rig.faults = [frame: fault]
            rig.start()
            rig.run(seconds: 5)
            #expect(rig.finished.isEmpty, "\(fault) at frame \(frame): \(rig.finished)")
            #expect(rig.session.condition == .streaming, "\(fault) at frame \(frame)")
            rig.stop()
            rig.run(seconds: 4)
            #expect(rig.finished == [nil], "\(fault) at frame \(frame)")
            #expect(rig.samples.count > 1_000, "\(fault) at frame \(frame): \(rig.samples.count)")
            rig.expectBalanced()
        }
    }

    @Test func randomFaultsNeverBreakTheAccount() {
        var generator = SeededGenerator(seed: 20_251_124)
        let kinds: [SessionRig.Fault] = [
            .dropReply, .delayReply(30_000_000), .delayReply(260_000_000), .garbleReply, .truncateReply, .wrongID,
            .repeatPrefix, .unaskedBefore, .failOut(.stall), .failIn(.inputOutput),
            .unplug(returnsAfter: 700_000_000, reboot: true), .unplug(returnsAfter: 700_000_000, reboot: false),
        ]
        for _ in 0..<10 {
            var rig = SessionRig()
            for _ in 0..<12 {
                if let kind = kinds.randomElement(using: &generator) {
                    rig.faults[Int.random(in: 1...500, using: &generator)] = kind
                }
            }
            rig.start()
            rig.run(seconds: 16)
            #expect(rig.finished.isEmpty)
            rig.stop()
            rig.run(seconds: 4)
            #expect(rig.finished == [nil])
            #expect(rig.samples.count > 3_000)
            rig.expectBalanced()
        }
    }
}
