/// Reads a recorded session transfer by transfer, without having to have seen its beginning.
package struct CaptureDecoder: Sendable {
    /// What one row of the capture is (packets.csv).
    package enum Meaning: Sendable, Equatable {
        case request(ControlHeader)
        case reply(MeterReply)
        case rawMemory(Int)
        /// A transfer without data: cancelled, failed, or a zero-length packet.
        case none
        /// The beginning of a reply that goes on in the next row (reads shorter than the reply).
        case part
        case undecodable(String)
        /// Not on the vendor interface's bulk endpoints.
        case otherEndpoint
    }

    package struct Start: Sendable, Equatable {
        package var seq: Int
        package var rateIndex: UInt16
        /// nil: the capture has no reply to it.
        package var isAccepted: Bool?
    }

    package struct QueueReply: Sendable, Equatable {
        package var seq: Int
        /// Position in `starts` of the graph that made the samples; nil: it was started before the capture began.
        package var start: Int?
        package var samples: [QueueSample]
    }

    package struct Log: Sendable, Equatable {
        /// From the catalogue, if the capture has it.
        package var entry: LogEntry?
        package var samples: [LogSample]
        /// Bytes that the capture lacks at the end.
        package var missingBytes: Int
    }

    package private(set) var meanings: [(seq: Int, direction: CaptureRow.Direction, meaning: Meaning)] = []
    package private(set) var adc: [(seq: Int, reading: ADCReading)] = []
    package private(set) var queue: [QueueReply] = []
    package private(set) var pd: [(seq: Int, payload: PDPayload)] = []
    package private(set) var starts: [Start] = []
    package private(set) var logs: [Log] = []
    /// Things a reader of the results should know, in order of appearance.
    package private(set) var notes: [String] = []
    package private(set) var undecodable = 0
    package private(set) var otherEndpointRows = 0

    private var catalogue: [LogEntry] = []
    /// START_GRAPH requests without a reply yet: id and position in `starts`.
    private var openStarts: [(id: UInt8, start: Int)] = []
    private var currentStart: Int?
    private var memory: (range: MemoryRange, got: [UInt8])?
    private var unfinished: [UInt8] = []

    package init(rows: [CaptureRow]) {
        let vendor = Self.vendorEndpoints(rows)
        meanings.reserveCapacity(rows.count)
        for row in rows {
            let meaning: Meaning
            if row.transferType != "bulk" || !vendor.contains(row.endpoint & 0x0F) {
                otherEndpointRows += 1
                meaning = .otherEndpoint
            } else if row.data.isEmpty {
                meaning = .none
            } else if row.direction == .out {
                meaning = request(row)
            } else {
                meaning = reply(row)
            }
            if case .undecodable(let why) = meaning {
                undecodable += 1
                notes.append("row \(row.seq): \(why)")
            }
            meanings.append((row.seq, row.direction, meaning))
        }
        closeMemory()
        if !unfinished.isEmpty { notes.append("the capture ends inside a reply of \(unfinished.count) bytes so far") }
        if otherEndpointRows > 0 { notes.append("\(otherEndpointRows) rows on other endpoints were not decoded") }
    }

    /// The vendor interface is 0x01/0x81 in every layout seen; a capture without it is read on its first bulk endpoint.
    private static func vendorEndpoints(_ rows: [CaptureRow]) -> Set<UInt8> {
        let bulk = rows.filter { $0.transferType == "bulk" }.map { $0.endpoint & 0x0F }
        if bulk.contains(1) { return [1] }
        return bulk.first.map { [$0] } ?? []
    }

    private mutating func request(_ row: CaptureRow) -> Meaning {
        guard let header = try? ControlHeader(decoding: row.data) else {
            return .undecodable("\(row.data.count) bytes from the host are no frame")
        }
        closeMemory()
        unfinished = []
        guard row.status == 0 else {
            notes.append("row \(row.seq): the request was not delivered (status \(row.status))")
            return .request(header)
        }
        if header.type == .startGraph {
            starts.append(Start(seq: row.seq, rateIndex: header.argument, isAccepted: nil))
            openStarts.removeAll { $0.id == header.id }
            openStarts.append((header.id, starts.count - 1))
        }
        return .request(header)
    }

    private mutating func reply(_ row: CaptureRow) -> Meaning {
        if memory != nil, let meaning = memoryData(row) { return meaning }
        let bytes = unfinished + row.data
        let decoded: MeterReply
        do throws(ProtocolFailure) {
            decoded = try MeterReply(decoding: bytes)
        } catch {
            // A read that was filled to its end goes on in the next one.
            if case .tooShort = error, row.data.count == row.bufferLength, row.status == 0 {
                unfinished = bytes
                return .part
            }
            unfinished = []
            return .undecodable(error.description)
        }
        unfinished = []
        switch decoded {
        case .accept(let id), .reject(let id), .error(let id):
            settleStart(id, isAccepted: { if case .accept = decoded { true } else { false } }())
        case .memoryConfirmation(_, let range):
            memory = (range, [])
        case .data(let data):
            return dataReply(data, row.seq)
        default: break
        }
        return .reply(decoded)
    }

    private mutating func settleStart(_ id: UInt8, isAccepted: Bool) {
        guard let index = openStarts.lastIndex(where: { $0.id == id }) else { return }
        let start = openStarts.remove(at: index).start
        starts[start].isAccepted = isAccepted
        if isAccepted { currentStart = start }
    }

    private mutating func dataReply(_ data: PutData, _ seq: Int) -> Meaning {
        do throws(ProtocolFailure) {
            // Nothing is kept of a reply that is damaged in one part.
            var newADC: [ADCReading] = []
            var newPD: [PDPayload] = []
            var newQueue: [[QueueSample]] = []
            var newEntries: [LogEntry] = []
            for payload in data.payloads {
                switch payload.attribute {
                case .adc: newADC.append(try ADCReading(decoding: payload.bytes))
                case .adcQueue: newQueue.append(try QueuePayload.decode(payload.bytes))
                case .pdPacket: newPD.append(try PDPayload(decoding: payload.bytes))
                case .settings: _ = try MeterSettings(decoding: payload.bytes)
                case .logMetadata: newEntries += try LogEntry.decodeCatalogue(payload.bytes)
                default: notes.append("row \(seq): attribute \(hex(payload.header.attribute)) was left alone")
                }
            }
            adc += newADC.map { (seq, $0) }
            pd += newPD.map { (seq, $0) }
            catalogue += newEntries
            for samples in newQueue where !samples.isEmpty {
                // The reply to START may be missing from the capture; samples prove that the graph runs.
                if let open = openStarts.last, currentStart.map({ $0 < open.start }) ?? true {
                    notes.append(
                        "row \(seq): samples follow START_GRAPH of row \(starts[open.start].seq) without its reply")
                    openStarts.removeAll()
                    currentStart = open.start
                }
                queue.append(QueueReply(seq: seq, start: currentStart, samples: samples))
            }
        } catch {
            return .undecodable(error.description)
        }
        return .reply(.data(data))
    }

    // MARK: Memory

    /// The row as raw memory data, or nil if it can only be a frame.
    private mutating func memoryData(_ row: CaptureRow) -> Meaning? {
        guard let (range, before) = memory else { return nil }
        var got = before
        // Ciphertext comes in whole cipher blocks, unless a read ended inside one; 4 bytes are a control frame.
        let isFrame = row.data.count == ControlHeader.size && (got.count + row.data.count) % AES128.blockSize != 0
        guard !isFrame, got.count + row.data.count <= range.cipherLength else { return nil }
        got += row.data
        memory = (range, got)
        if got.count == range.cipherLength { closeMemory() }
        return .rawMemory(row.data.count)
    }

    private mutating func closeMemory() {
        guard let (range, got) = memory else { return }
        memory = nil
        let missing = range.cipherLength - got.count
        if missing > 0 {
            notes.append(
                "memory \(hex(range.address)): \(missing) of \(range.cipherLength) bytes are not in the capture")
        }
        guard range.address >= MemoryMap.logData else { return }
        let whole = got.count / AES128.blockSize * AES128.blockSize
        let plain = MemoryRange.cipher.decrypt(got[..<whole])
        let usable = min(plain.count, Int(range.size)) / LogSample.size * LogSample.size
        guard let samples = try? LogSample.decode(Array(plain[..<usable])), !samples.isEmpty else { return }
        let offset = range.address - MemoryMap.logData
        let entry = catalogue.last { $0.dataOffset == offset }
        if entry == nil {
            notes.append("log at offset \(offset): not in a catalogue of this capture, its interval is unknown")
        }
        logs.append(Log(entry: entry, samples: samples, missingBytes: missing))
    }
}
