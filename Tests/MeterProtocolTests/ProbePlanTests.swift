import Testing

@testable import MeterProtocol

@Suite struct ProbePlanTests {
    struct Run {
        var plan: ProbePlan
        var meter = MeterModel()
        var actions: [ProbePlan.Action] = []
        var sent: [[UInt8]] = []
        var saves: [Int] = []
        var now: Int64 = 5_000_000_000
        var silentTo: Set<UInt8> = []
        var lostAtFrame: Int?

        mutating func go() {
            var queue: [(at: Int64, event: ProbePlan.Event)] = [(now, .opened(atNanoseconds: now))]
            var fifo: [[UInt8]] = [[0x03, 0x05, 0, 0]]
            var posted = false
            var turns = 0
            while turns < 5_000, actions.last != .finished {
                turns += 1
                let event: ProbePlan.Event
                if let next = queue.min(by: { $0.at < $1.at }), next.at <= plan.deadlineNanoseconds ?? .max {
                    queue.removeAll { $0.at == next.at && $0.event == next.event }
                    now = max(now, next.at)
                    event = next.event
                } else if let deadline = plan.deadlineNanoseconds {
                    now = max(now, deadline)
                    event = .timer(atNanoseconds: now)
                } else {
                    break
                }
                if case .channel(.received) = event { posted = false }
                for action in plan.handle(event) {
                    actions.append(action)
                    switch action {
                    case .postRead: posted = true
                    case .save: saves.append(plan.transcript.rows.count)
                    case .send(let frame):
                        sent.append(frame)
                        if sent.count == lostAtFrame {
                            queue.append((now + 1, .channel(.failed(.noDevice, atNanoseconds: now + 1))))
                        } else {
                            queue.append((now + 90_000, .channel(.sent(atNanoseconds: now + 90_000))))
                            if case .frames(let frames, _) = meter.answer(frame, at: now),
                                !silentTo.contains(frame[0])
                            {
                                fifo += frames
                            }
                        }
                    default: break
                    }
                }
                if posted, !fifo.isEmpty {
                    let at = now + 200_000
                    queue.append((at, .channel(.received(fifo.removeFirst(), atNanoseconds: at))))
                    posted = false
                }
            }
        }
    }

    @Test func knownModelIsReadInFullAndTheTranscriptDecodes() throws {
        var run = Run(plan: ProbePlan(profile: .km003c))
        run.go()
        let found = run.plan.findings
        #expect(run.actions.suffix(2) == [.close, .finished])
        #expect(found.staleBytes == 4)
        #expect(found.connectReply == "ACCEPT")
        #expect(found.adcPayloadBytes == 44)
        #expect(found.startWithoutAuthReply == "REJECT")
        #expect(found.model == "KM003C" && found.firmwareVersion == "1.9.5")
        #expect(found.authLevel == 1 && found.authReplyWord == "0x0203")
        #expect(found.startAfterAuthReply == "ACCEPT")
        #expect(found.sampleStepsMilliseconds.count >= 3)
        #expect(found.sampleStepsMilliseconds.allSatisfy { $0 == 500 })
        let file = try CaptureFile(decoding: Array(run.plan.transcript.text.utf8), name: "probe")
        #expect(file.rows == run.plan.transcript.rows)
        let report = CaptureReport(rows: file.rows)
        #expect(report.decoder.undecodable == 0)
        #expect(report.queueSampleCount == found.sampleUptimesMilliseconds.count + (found.samplesAfterStop ?? 0))
        #expect(!found.lines.isEmpty)
    }

    @Test func unknownModelIsNotAskedForMemoryWithoutTheFlag() {
        var run = Run(plan: ProbePlan(profile: .km001c))
        run.go()
        #expect(run.sent.allSatisfy { $0[0] < 0x40 })
        #expect(run.saves.count == 1)
        #expect(run.plan.findings.authLevel == nil)
        var flagged = Run(plan: ProbePlan(profile: .km001c, allowsMemoryReads: true))
        flagged.go()
        #expect(flagged.plan.findings.authLevel == 1)
        #expect(flagged.saves.count == 2)
        // Everything harmless is saved before the first memory read is sent.
        let firstRead = flagged.actions.firstIndex { if case .send(let f) = $0 { f[0] == 0x44 } else { false } }
        let firstSave = flagged.actions.firstIndex(of: .save)
        #expect((firstSave ?? .max) < (firstRead ?? .min))
    }

    @Test func everyFrameOfEveryPlanPassesTheGuard() {
        for profile in MeterProfile.all {
            var run = Run(plan: ProbePlan(profile: profile, allowsMemoryReads: true))
            run.go()
            for frame in run.sent { #expect(throws: Never.self) { try FrameGuard.check(frame) } }
            #expect(run.sent.count > 10)
        }
    }

    @Test func silenceAndLossEndWithWhatWasLearnt() {
        for type in [0x02, 0x0C, 0x0E, 0x0F, 0x03, 0x44, 0x4C] as [UInt8] {
            var run = Run(plan: ProbePlan(profile: .km003c))
            run.silentTo = [type]
            run.go()
            #expect(run.actions.last == .finished, "silent to \(type)")
        }
        for frame in 1...12 {
            var run = Run(plan: ProbePlan(profile: .km003c))
            run.lostAtFrame = frame
            run.go()
            #expect(run.actions.suffix(3) == [.save, .close, .finished])
            #expect(run.plan.findings.failure?.contains("noDevice") == true)
        }
    }
}
