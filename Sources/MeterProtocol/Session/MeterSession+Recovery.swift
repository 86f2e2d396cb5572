import Traces

// Everything that is not the straight way: opening, draining, timeouts, failed transfers, loss, stopping.
extension MeterSession {
    // MARK: Open and close

    mutating func opened(_ now: Int64, _ out: inout [Action]) {
        guard mode == .opening else { return }
        isChannelOpen = true
        isReadPosted = false
        if let since = absentSince {
            tell(.info, "device_returned", "back after \((now - since) / 1_000_000) ms", now, &out)
            absentSince = nil
        }
        if isStopping { return finish(nil, now, &out) }
        step = .connect
        resetTries()
        beginDrain(now, &out)
    }

    private mutating func resetTries() {
        triesOfStep = 0
        connectTries = 0
        startTries = 0
    }

    mutating func openFailed(_ failure: BusFailure, _ now: Int64, _ out: inout [Action]) {
        guard mode == .opening else { return }
        if isStopping { return finish(nil, now, &out) }
        let isAbsent = failure == .noDevice || failure == .notFound
        // The first open fails at once: the technician is still there.
        if traffic.reconnects == 0, !hasStreamed, recoveries == 0 {
            return finish(.cannotOpen(meter: meter, failure), now, &out)
        }
        if isAbsent {
            let since = absentSince ?? now
            absentSince = since
            if now - since >= settings.absenceLimitNanoseconds {
                return finish(.gone(meter: meter, seconds: (now - since) / 1_000_000_000), now, &out)
            }
        } else {
            recoveries += 1
            lastTrouble = "opening failed (\(failure))"
            tell(.warning, "open_failed", "the meter cannot be opened (\(failure)), trying again", now, &out)
            guard recoveries <= settings.recoveryLimit else {
                return finish(
                    .tooManyRecoveries(meter: meter, count: recoveries - 1, last: lastTrouble), now, &out)
            }
        }
        backOff(now)
    }

    private mutating func backOff(_ now: Int64) {
        let doubled = settings.backOffNanoseconds << Int64(min(reopens, 10))
        reopens += 1
        mode = .backingOff(until: now + min(doubled, settings.largestBackOffNanoseconds))
    }

    private mutating func closeAndBackOff(_ now: Int64, _ out: inout [Action]) {
        closeChannel(&out)
        if isStopping { return finish(nil, now, &out) }
        traffic.reconnects += 1
        backOff(now)
    }

    private mutating func closeChannel(_ out: inout [Action]) {
        if isChannelOpen { out.append(.close) }
        isChannelOpen = false
        isReadPosted = false
    }

    mutating func finish(_ failure: SessionFailure?, _ now: Int64, _ out: inout [Action]) {
        guard mode != .finished else { return }
        emit(ledger.finish(atNanoseconds: now), now, &out)
        closeChannel(&out)
        mode = .finished
        if let failure { tell(.error, "session_failed", failure.description, now, &out) }
        out.append(.finished(failure))
    }

    // MARK: Draining

    /// Reads until nothing comes, then performs `step`.
    mutating func beginDrain(_ now: Int64, _ out: inout [Action]) {
        postRead(&out)
        mode = .draining(
            quietUntil: now + settings.drainQuietNanoseconds, hardUntil: now + 20 * settings.drainQuietNanoseconds)
    }

    mutating func drainAndClose(_ now: Int64, _ out: inout [Action]) {
        step = .close
        beginDrain(now, &out)
    }

    // MARK: Incoming bytes

    mutating func received(_ bytes: [UInt8], _ now: Int64, _ out: inout [Action]) {
        switch mode {
        case .awaitingMemory(let range, let got, let id, let deadline):
            memoryBlock(bytes, range, got, id, deadline, now, &out)
        case .draining(_, let hardUntil):
            if bytes.first == FrameType.disconnect.rawValue {
                tell(.info, "stale_frame", "a frame of an earlier session was waiting", now, &out)
            }
            mode = .draining(quietUntil: now + settings.drainQuietNanoseconds, hardUntil: hardUntil)
            postRead(&out)
        case .settling(_, let then):
            if bytes.first == FrameType.putData.rawValue { ledger.noteLoss(.transfer) }
            settled(then, now, &out)
        case .awaiting(let pending): replyArrived(pending, bytes, now, &out)
        case .streaming, .pausing:
            if !bytes.isEmpty { unasked(bytes, now, &out) }
            // Unless that led elsewhere: a recovery posts its own read once all transfers are home.
            switch mode {
            case .streaming, .pausing: postRead(&out)
            default: break
            }
        case .idle, .opening, .backingOff, .finished: break
        }
    }

    private mutating func replyArrived(_ pending: Pending, _ bytes: [UInt8], _ now: Int64, _ out: inout [Action]) {
        guard let header = try? ControlHeader(decoding: bytes) else {
            // A zero-length packet after a reply of a multiple of 64 bytes belongs to nobody.
            if !bytes.isEmpty { discard("\(bytes.count) bytes are no frame", now, &out) }
            return keepWaiting(pending, &out)
        }
        if header.type == .disconnect, !step.isOptional {
            return sessionLost("the meter has ended the session by itself", now, &out)
        }
        if header.type == .putData, step.isPoll {
            guard header.id == pending.request.id else {
                ledger.noteLoss(.transfer)
                discard("a late reply (id \(header.id), awaited \(pending.request.id))", now, &out)
                return keepWaiting(pending, &out)
            }
            return pollAnswered(pending, bytes, now, &out)
        }
        let reply: MeterReply
        do throws(ProtocolFailure) {
            reply = try MeterReply(decoding: bytes)
        } catch {
            discard(error.description, now, &out)
            return keepWaiting(pending, &out)
        }
        // The auth reply always has id 0; everything else echoes the request's.
        guard reply.id == nil || reply.id == pending.request.id else {
            discard("a late reply (id \(header.id), awaited \(pending.request.id))", now, &out)
            return keepWaiting(pending, &out)
        }
        answered(pending, reply, now, &out)
    }

    mutating func keepWaiting(_ pending: Pending, _ out: inout [Action]) {
        postRead(&out)
        mode = .awaiting(pending)
    }

    mutating func discard(_ why: String, _ now: Int64, _ out: inout [Action]) {
        traffic.discardedReplies += 1
        tell(.warning, "reply_discarded", why, now, &out)
    }

    /// Something came though nothing was asked.
    private mutating func unasked(_ bytes: [UInt8], _ now: Int64, _ out: inout [Action]) {
        if bytes.first == FrameType.disconnect.rawValue {
            sessionLost("the meter has ended the session by itself", now, &out)
        } else {
            if bytes.first == FrameType.putData.rawValue { ledger.noteLoss(.transfer) }
            discard("\(bytes.count) bytes came though nothing was asked", now, &out)
        }
    }

    private mutating func memoryBlock(
        _ bytes: [UInt8], _ range: MemoryRange, _ got: [UInt8], _ id: UInt8, _ deadline: Int64, _ now: Int64,
        _ out: inout [Action]
    ) {
        // 4 bytes are no cipher block: a control frame has come instead.
        if bytes.count == ControlHeader.size {
            if bytes.first == FrameType.disconnect.rawValue {
                return sessionLost("the meter has ended the session by itself", now, &out)
            }
            discard("a frame came in the middle of memory data", now, &out)
            postRead(&out)
            return
        }
        let joined = got + bytes
        guard joined.count >= range.cipherLength else {
            postRead(&out)
            let extended = bytes.isEmpty ? deadline : now + settings.replyTimeoutNanoseconds
            mode = .awaitingMemory(range, got: joined, id: id, deadline: extended)
            return
        }
        memoryArrived(range, joined, now, &out)
    }

    // MARK: Time

    mutating func timerFired(_ now: Int64, _ out: inout [Action]) {
        if isStopping, now >= stopDeadline {
            tell(.warning, "stop_forced", "the meter did not end its session in time; it is closed as it is", now, &out)
            return finish(nil, now, &out)
        }
        switch mode {
        case .backingOff(let until) where now >= until:
            mode = .opening
            out.append(.open)
        case .draining(let quiet, let hard) where now >= min(quiet, hard):
            perform(now, &out)
        case .pausing(let until) where now >= until: perform(now, &out)
        case .settling(let until, let then) where now >= until: settled(then, now, &out)
        case .streaming where now >= nextTurn: pollIsDue(now, &out)
        case .awaiting(let pending) where now >= pending.deadline:
            if step.isOptional { return optionalStepDone(now, &out) }
            stepTimedOut("\(pending.request.command.label)", now, &out)
        case .awaitingMemory(let range, _, _, let deadline) where now >= deadline:
            stepTimedOut("the data of memory \(hex(range.address))", now, &out)
        default: break
        }
    }

    /// No reply in time: cancel, drain, once more with a new id; then open anew.
    mutating func stepTimedOut(_ what: String, _ now: Int64, _ out: inout [Action]) {
        traffic.timeouts += 1
        if step.isPoll { ledger.noteLoss(.transfer) }
        tell(.warning, "reply_timeout", "no reply to \(what)", now, &out)
        lastTrouble = "no reply to \(what)"
        triesOfStep += 1
        let limit = step == .connect ? 3 : 2
        switch step {
        case .hardwareInfo where triesOfStep >= limit, .firmwareInfo where triesOfStep >= limit:
            // Nice to know, not needed.
            hasReadIdentity = true
            step = mayAuthenticate ? .credential(0) : .stopBefore
            settle(.retry, now, &out)
        case .auth where triesOfStep < limit:
            mode = .pausing(until: now + Self.authPause)
        default:
            if triesOfStep < limit { return settle(.retry, now, &out) }
            trouble("no reply to \(what)", .reopen, now, &out)
        }
    }

    // MARK: Failed transfers and lost devices

    mutating func transferFailed(_ failure: BusFailure, _ now: Int64, _ out: inout [Action]) {
        guard isChannelOpen else { return }
        switch failure {
        case .cancelled:
            isReadPosted = false
            if case .settling(_, let then) = mode { settled(then, now, &out) }
        case .noDevice, .notFound:
            deviceLost(now, &out)
        case .stall:
            traffic.stalls += 1
            if step.isPoll { ledger.noteLoss(.transfer) }
            tell(.warning, "stall", "an endpoint was halted and is cleared", now, &out)
            out.append(.clearHalt)
            retryTransfer("stalled transfers", now, &out)
        case .timeout, .overflow, .inputOutput, .forbidden, .busy, .other:
            traffic.transferErrors += 1
            if step.isPoll { ledger.noteLoss(.transfer) }
            tell(.warning, "transfer_error", "a transfer failed (\(failure))", now, &out)
            retryTransfer("transfers failed (\(failure))", now, &out)
        }
    }

    private mutating func retryTransfer(_ what: String, _ now: Int64, _ out: inout [Action]) {
        if case .settling = mode { return }
        lastTrouble = what
        triesOfStep += 1
        if triesOfStep < 3 { return settle(.retry, now, &out) }
        trouble(what, .reopen, now, &out)
    }

    mutating func deviceLost(_ now: Int64, _ out: inout [Action]) {
        absentSince = absentSince ?? now
        ledger.streamRestarts(.disconnected)
        tell(.warning, "device_lost", "the meter was unplugged or has lost power", now, &out)
        if isStopping {
            tell(.error, "stopped_without_meter", "the recording ends while the meter is absent", now, &out)
        }
        recoveries += 1
        lastTrouble = "the meter was unplugged or has lost power"
        if recoveries > settings.recoveryLimit, !isStopping {
            return finish(
                .tooManyRecoveries(meter: meter, count: recoveries - 1, last: lastTrouble), now, &out)
        }
        closeAndBackOff(now, &out)
    }

    /// The session is gone but the channel is there: from CONNECT on.
    mutating func sessionLost(_ why: String, _ now: Int64, _ out: inout [Action]) {
        traffic.sessionsLost += 1
        tell(.warning, "session_lost", why, now, &out)
        trouble(why, .reconnect, now, &out)
    }

    /// Counts a recovery and starts it, or gives up.
    mutating func trouble(_ why: String, _ recovery: Recovery, _ now: Int64, _ out: inout [Action]) {
        lastTrouble = why
        recoveries += 1
        ledger.streamRestarts(.session)
        if isStopping {
            // Nothing is left to save: end politely where that is still possible.
            return recovery == .reconnect ? go(to: .disconnect, now, &out) : finish(nil, now, &out)
        }
        guard recoveries <= settings.recoveryLimit else {
            return finish(
                .tooManyRecoveries(meter: meter, count: recoveries - 1, last: lastTrouble), now, &out)
        }
        if !hasStreamed, recoveries >= 3, recovery == .reopen, step == .connect {
            return finish(.noAnswer(meter: meter, to: "CONNECT"), now, &out)
        }
        // Every third recovery in a row opens the channel anew, whatever the trouble.
        let chosen = recoveries.isMultiple(of: 3) ? .reopen : recovery
        tell(.info, "recovery", "recovery \(recoveries): \(why)", now, &out)
        settle(chosen, now, &out)
    }

    /// Brings all transfers home first. A failed transfer does not say whether it was the read, so a time limit ends this.
    mutating func settle(_ then: Recovery, _ now: Int64, _ out: inout [Action]) {
        out.append(.cancel)
        mode = .settling(until: now + settings.drainQuietNanoseconds, then: then)
    }

    private mutating func settled(_ then: Recovery, _ now: Int64, _ out: inout [Action]) {
        isReadPosted = false
        switch then {
        case .retry: beginDrain(now, &out)
        case .reconnect:
            step = .connect
            resetTries()
            beginDrain(now, &out)
        case .reopen: closeAndBackOff(now, &out)
        }
    }

    // MARK: Stopping

    mutating func stop(_ now: Int64, _ out: inout [Action]) {
        guard !isStopping else { return }
        isStopping = true
        stopDeadline = now + 2_000_000_000 + settings.replyTimeoutNanoseconds
        switch mode {
        case .idle, .backingOff: finish(nil, now, &out)
        case .opening, .finished: break
        case .streaming: go(to: .finalPoll, now, &out)
        case .pausing: go(to: .disconnect, now, &out)
        case .draining:
            // Before CONNECT there is nothing to stop; a poll that is to be repeated becomes the last one.
            if step == .connect { return finish(nil, now, &out) }
            if step == .poll { step = .finalPoll }
        case .awaiting, .awaitingMemory, .settling:
            // The reply comes first; then the way leads to the end (`pollDone`, `afterConnect`, `beginStreaming`).
            break
        }
    }
}

extension HostCommand {
    /// Name as in the notes, without values that change.
    var label: String {
        switch self {
        case .connect: "CONNECT"
        case .disconnect: "DISCONNECT"
        case .getData(let mask): "GET_DATA \(hex(mask.rawValue))"
        case .startGraph(let rate): "START_GRAPH \(rate)"
        case .stopGraph: "STOP_GRAPH"
        case .memoryRead(let range): "MEMORY_READ \(hex(range.address))"
        case .streamingAuth: "STREAMING_AUTH"
        }
    }
}
