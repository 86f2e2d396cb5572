import Traces

// Polling: one request per turn, samples out of each reply, and the watchdog.
extension MeterSession {
    mutating func poll(_ now: Int64, _ out: inout [Action]) {
        var mask: Attributes = .adcQueue
        if now >= nextADC {
            mask.insert(.adc)
            nextADC = now + (settings.adcEveryNanoseconds ?? .max / 2)
        }
        traffic.polls += 1
        request(.getData(mask), now, &out)
    }

    /// The turn has come.
    mutating func pollIsDue(_ now: Int64, _ out: inout [Action]) {
        traffic.latestPollNanoseconds = max(traffic.latestPollNanoseconds, now - nextTurn)
        let next = turn(after: now)
        traffic.skippedTurns += max(0, Int((next - nextTurn) / settings.pollPeriodNanoseconds) - 1)
        nextTurn = next
        triesOfStep = 0
        poll(now, &out)
    }

    /// A data reply with the right id to a poll. The bytes are those of the frame.
    mutating func pollAnswered(_ pending: Pending, _ frame: [UInt8], _ now: Int64, _ out: inout [Action]) {
        let data: PutData
        do throws(ProtocolFailure) {
            data = try PutData(decoding: frame)
            if data.trailing != 0 {
                throw .wrongLength(
                    part: "queue reply", expected: "\(frame.count - data.trailing)", found: frame.count)
            }
        } catch {
            // The meter has emptied its ring into this reply: what was in it is lost and will show as a gap.
            ledger.noteLoss(.transfer)
            discard(error.description, now, &out)
            return pollDone(now, &out)
        }
        if data.header.authLevel >= 1 {
            hasSeenLevel = true
        } else if hasSeenLevel {
            return sessionLost("the meter has fallen back to level 0", now, &out)
        }
        if let payload = data.payload(of: .adc) {
            if let adc = try? ADCReading(decoding: payload.bytes) { tookADC(adc, now, &out) }
        }
        let bytes = data.payload(of: .adcQueue)?.bytes ?? []
        let before = ledger.account.received
        let outputs = bytes.withUnsafeBytes {
            ledger.take($0, requestedAtNanoseconds: pending.sentAt, completedAtNanoseconds: now)
        }
        emit(outputs, now, &out)
        if ledger.account.received > before {
            samplesBy = now + watchdog
            recoveries = 0
            reopens = 0
            graphRestartsInRow = 0
        }
        pollDone(now, &out)
    }

    private mutating func pollDone(_ now: Int64, _ out: inout [Action]) {
        triesOfStep = 0
        if step == .finalPoll { return go(to: .finalStop, now, &out) }
        if isStopping { return go(to: .finalPoll, now, &out) }
        if now > samplesBy { return watchdogBites(now, &out) }
        postRead(&out)
        mode = .streaming
        // Behind its turn already: poll at once, the ring does not wait.
        if now >= nextTurn { pollIsDue(now, &out) }
    }

    /// Polls are answered but bring nothing: the graph has stopped inside the meter.
    private mutating func watchdogBites(_ now: Int64, _ out: inout [Action]) {
        graphRestartsInRow += 1
        traffic.graphRestarts += 1
        ledger.streamRestarts(.session)
        tell(
            .warning, "graph_restart",
            "no sample for \(watchdog / 1_000_000_000) s although polls are answered: the graph is restarted", now, &out
        )
        samplesBy = now + watchdog
        if graphRestartsInRow > 2 { return trouble("restarting the graph did not help", .reconnect, now, &out) }
        go(to: .stopBefore, now, &out)
    }
}
