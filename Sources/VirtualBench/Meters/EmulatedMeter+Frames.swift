import MeterProtocol

// The session rules of the protocol reference, section 6, as far as captures and reports establish them.
extension EmulatedMeter {
    /// A frame from the host, completely received at `time`. Returns the frames the meter answers with, in order.
    package mutating func handle(_ frame: [UInt8], at time: Int64, signal: PowerTrace) -> [TimedFrame] {
        let early = advance(to: time, signal: signal)
        counts.requests += 1
        let request: ReceivedRequest
        do throws(ProtocolFailure) {
            request = try ReceivedRequest(decoding: frame)
        } catch {
            report("a damaged frame (\(frame.hexDigits)): \(error.description)", at: time)
            return early + [reply(.reject(id: frame.count > 1 ? frame[1] : 0))]
        }
        if isConnected || level > 0 { lastCommandAt = time }
        switch request {
        case .foreign(let header, _):
            if FrameType.dangerous.contains(header.type) {
                report("a frame that no host may send (\(header.type), \(frame.hexDigits))", at: time)
                return early + [reply(.reject(id: header.id))]
            }
            // SYNC, status, PD monitor on and off: captures show ACCEPT for 0x10 and 0x11.
            let accepted = [0x01, 0x10, 0x11].contains(header.type.rawValue)
            return early + [reply(accepted ? .accept(id: header.id) : .reject(id: header.id))]
        case .known(let known):
            return early + answer(known, at: time, signal: signal)
        }
    }

    private mutating func report(_ text: String, at time: Int64) {
        violations.append(Violation(meter: truth.serial, atNanoseconds: time, text: text))
    }

    private mutating func reply(_ reply: MeterReply, after extra: Double = 0) -> TimedFrame {
        let jitterPart = truth.replyJitterMicroseconds > 0 ? jitter.uniform(0, truth.replyJitterMicroseconds) : 0
        return TimedFrame(
            bytes: reply.bytes, delay: Int64((truth.replyMicroseconds + jitterPart) * 1000) + nanoseconds(extra))
    }

    private mutating func answer(_ request: HostRequest, at time: Int64, signal: PowerTrace) -> [TimedFrame] {
        let id = request.id
        switch request.command {
        case .connect:
            if isConnected, truth.model == .km002c { return [reply(.error(id: id))] }
            isConnected = true
            level = 0
            stopGraph(at: time)
            lastCommandAt = time
            return [reply(.accept(id: id))]
        case .disconnect:
            stopGraph(at: time)
            isConnected = false
            level = 0
            lastCommandAt = nil
            return [reply(.accept(id: id))]
        case .startGraph(let rate):
            guard level >= 1, rateIndex == nil, rate <= 3, rejectStarts == 0 else {
                rejectStarts = max(0, rejectStarts - 1)
                return [reply(.reject(id: id))]
            }
            startGraph(rate: Int(rate), at: time, signal: signal)
            return [reply(.accept(id: id))]
        case .stopGraph:
            let running = rateIndex != nil
            guard level >= 1, running || truth.model != .km002c else { return [reply(.reject(id: id))] }
            stopGraph(at: time)
            return [reply(.accept(id: id))]
        case .getData(let mask):
            return [data(mask, id: id, at: time, signal: signal)]
        case .memoryRead(let range):
            return memory(range, id: id, at: time)
        case .streamingAuth(let auth):
            return authenticate(auth, at: time)
        }
    }

    private mutating func stopGraph(at time: Int64) {
        guard let rate = rateIndex else { return }
        rateIndex = nil
        lastGraphStop = (time, rate)
        idleGrid = -1
    }

    private mutating func data(_ mask: Attributes, id: UInt8, at time: Int64, signal: PowerTrace) -> TimedFrame {
        // At level 0 only ADC, Settings and PdPacket are answered (mask 0x19, from firmware research).
        let allowed: Attributes = level >= 1 ? .askable : [.adc, .settings, .pdPacket]
        let given = mask.intersection(allowed)
        guard !given.isEmpty else { return reply(.reject(id: id)) }
        var contents: [PutData.Content] = []
        refreshIdle(at: time, signal: signal)
        if given.contains(.adc) { contents.append(.adc(reading(at: time))) }
        if given.contains(.adcQueue) {
            let entries = ring.takeAll()
            settle(entries, as: .sent)
            contents.append(.adcQueue(entries.map(\.sample)))
        }
        if given.contains(.settings) { contents.append(.settings(MeterSettings())) }
        if given.contains(.pdPacket) {
            contents.append(
                .pd(
                    PDPayload(
                        uptimeMilliseconds: UInt32(truncatingIfNeeded: uptime(at: time)),
                        vbusMillivolts: UInt16(clamping: held.microvolts / 1000),
                        ibusMilliamperes: Int16(clamping: held.microamperes / 1000), cc1Millivolts: 67,
                        cc2Millivolts: 3235)))
        }
        if given.contains(.logMetadata) { contents.append(.logCatalogue([])) }
        return reply(.data(PutData(id: id, authLevel: level, contents: contents)))
    }

    private func reading(at time: Int64) -> ADCReading {
        var raw = Int16((truth.celsius * 128).rounded())
        if rateIndex == 3 { raw = ADCReading.noTemperature }
        if let stop = lastGraphStop, stop.rate >= 1, rateIndex == nil, time - stop.at < 500_000_000 {
            raw = ADCReading.noTemperature
        }
        let volts = rateIndex != nil ? ring.newest?.sample.vbusMicrovolts ?? held.microvolts : held.microvolts
        let amps = rateIndex != nil ? ring.newest?.sample.ibusMicroamperes ?? held.microamperes : held.microamperes
        return ADCReading(
            vbusMicrovolts: volts, ibusMicroamperes: amps, vbusAverageMicrovolts: block.averageMicrovolts,
            ibusAverageMicroamperes: block.averageMicroamperes,
            vbusUncalibratedAverage: block.averageMicrovolts &+ 6,
            ibusUncalibratedAverage: block.averageMicroamperes &+ 94, temperatureRaw: raw, cc1: 670, cc2: 32350,
            dPlus: 0, dMinus: 0, cc2AverageMillivolts: 3235, dPlusAverageMillivolts: truth.shortADC ? nil : 0,
            dMinusAverageMillivolts: truth.shortADC ? nil : 0)
    }

    private mutating func memory(_ range: MemoryRange, id: UInt8, at time: Int64) -> [TimedFrame] {
        let content: [UInt8]
        let seconds: Double
        switch range.address {
        case MemoryMap.hardwareInfo:
            content =
                IdentityText(model: truth.model.rawValue, version: truth.hardware, date: truth.hardwareDate).bytes
            seconds = 0.035
        case MemoryMap.firmwareInfo:
            content =
                IdentityText(model: truth.model.rawValue, version: truth.firmware, date: truth.firmwareDate).bytes
            seconds = 0.035
        case MemoryMap.serialText: (content, seconds) = (truth.serialText, 0.013)
        case MemoryMap.hardwareID: (content, seconds) = (truth.hardwareID, 0.013)
        case MemoryMap.calibrationRecord: (content, seconds) = ([UInt8](repeating: 0x5a, count: 64), 0.013)
        default:
            if range.address >> 28 == 4 {
                report("a memory read at \(range.address) (can crash a real meter)", at: time)
            }
            return [reply(.memoryNotReadable(id: id))]
        }
        var frames = [reply(.memoryConfirmation(id: id, range))]
        for block in range.rawBlocks(of: content) {
            frames.append(TimedFrame(bytes: block, delay: nanoseconds(seconds)))
        }
        return frames
    }

    private mutating func authenticate(_ auth: AuthRequest, at time: Int64) -> [TimedFrame] {
        defer { lastAuthAt = time }
        // A KM002C gave empty replies to attempts less than a second apart (by report).
        if truth.model == .km002c, let last = lastAuthAt, time - last < 1_000_000_000 { return [] }
        var granted: UInt8 = 0
        if auth.credential == truth.hardwareID { granted = 1 }
        if auth.credential == [UInt8](repeating: 0x5a, count: 12) { granted = 2 }
        if refuseAuths > 0 {
            refuseAuths -= 1
            granted = 0
        }
        stopGraph(at: time)
        level = granted
        if isConnected { lastCommandAt = time }
        let shown = granted
        if levelZeroAuths > 0, granted > 0 {
            // Says yes and means no: the reply grants, the session stays at level 0.
            levelZeroAuths -= 1
            level = 0
        }
        return [reply(.auth(AuthReply(level: shown, isEncrypted: truth.model != .km002c, echo: auth)))]
    }
}
