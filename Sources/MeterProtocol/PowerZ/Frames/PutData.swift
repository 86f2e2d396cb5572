/// A PUT_DATA frame: header, then for each attribute an extended header and its payload, in ascending order.
package struct PutData: Sendable, Equatable {
    /// One logical payload, not yet interpreted; unknown attributes stay as they came.
    package struct Payload: Sendable, Equatable {
        package var header: ExtendedHeader
        package var bytes: ArraySlice<UInt8>

        package var attribute: Attributes { Attributes(rawValue: header.attribute) }

        package static func == (a: Self, b: Self) -> Bool {
            a.header == b.header && a.bytes.elementsEqual(b.bytes)
        }
    }

    package var header: DataHeader
    /// Empty: nothing to give (the queue was empty).
    package var payloads: [Payload]
    /// Bytes behind the last announced payload: 0 in every capture but possible with the PD trace (attribute 0x20).
    package var trailing: Int

    /// - Throws: `tooShort` where an extended header or its payload is cut off; `wrongField` where AdcQueue does not
    ///   announce 20-byte samples.
    package init(decoding frame: [UInt8]) throws(ProtocolFailure) {
        header = try DataHeader(decoding: frame)
        payloads = []
        var at = DataHeader.size
        var expectsMore = frame.count > at
        while expectsMore {
            guard frame.count >= at + ExtendedHeader.size else {
                throw .tooShort(part: "extended header", needed: ExtendedHeader.size, found: frame.count - at)
            }
            let extended = ExtendedHeader(word: frame.little(at: at))
            at += ExtendedHeader.size
            if extended.attribute == Attributes.adcQueue.rawValue && extended.payloadLength > 0 {
                guard Int(extended.sizeField) == QueueSample.size else {
                    throw .wrongField(
                        part: "AdcQueue payload", field: "sample size", expected: "\(QueueSample.size)",
                        found: "\(extended.sizeField)")
                }
            }
            let length = extended.payloadLength
            guard frame.count >= at + length else {
                throw .tooShort(
                    part: "payload of attribute \(hex(extended.attribute))", needed: length, found: frame.count - at)
            }
            payloads.append(Payload(header: extended, bytes: frame[at..<at + length]))
            at += length
            expectsMore = extended.hasNext
        }
        trailing = frame.count - at
    }

    /// Builds the frame that a meter sends: extended headers, `next` bits and size word as captured meters set them.
    ///
    /// - Parameter contents: in ascending order of attributes; a queue of no samples is left out, as the meter does.
    package init(id: UInt8, authLevel: UInt8, isEncrypted: Bool = false, contents: [Content]) {
        let kept = contents.filter { if case .adcQueue(let samples) = $0 { !samples.isEmpty } else { true } }
        payloads = kept.enumerated().map { index, content in
            let bytes = content.bytes
            let isQueue = content.attribute == .adcQueue
            return Payload(
                header: ExtendedHeader(
                    attribute: content.attribute.rawValue, hasNext: index + 1 < kept.count,
                    chunk: isQueue ? UInt8(bytes.count / QueueSample.size) : 0,
                    sizeField: UInt16(isQueue ? QueueSample.size : bytes.count)),
                bytes: bytes[...])
        }
        let length = DataHeader.size + payloads.reduce(0) { $0 + ExtendedHeader.size + $1.bytes.count }
        header = DataHeader(
            type: .putData, id: id, authLevel: authLevel, words: DataHeader.putDataWords(frameLength: length),
            isEncrypted: isEncrypted)
        trailing = 0
    }

    package var bytes: [UInt8] {
        var out = header.bytes
        for payload in payloads {
            out.append(little: payload.header.word)
            out += payload.bytes
        }
        return out
    }

    /// The payload of `attribute`, if the reply has one.
    package func payload(of attribute: Attributes) -> Payload? { payloads.first { $0.attribute == attribute } }

    /// Reads the ADC payload; nil if the reply has none. - Throws: what `ADCReading` throws.
    package func adc() throws(ProtocolFailure) -> ADCReading? {
        guard let payload = payload(of: .adc) else { return nil }
        return try ADCReading(decoding: payload.bytes)
    }

    /// Reads the queue; empty if the reply carries no samples. - Throws: what `QueuePayload` throws.
    package func queue() throws(ProtocolFailure) -> [QueueSample] {
        guard let payload = payload(of: .adcQueue) else { return [] }
        return try QueuePayload.decode(payload.bytes)
    }

    /// One typed payload for building a frame.
    package enum Content: Sendable, Equatable {
        case adc(ADCReading)
        /// At most 63 samples.
        case adcQueue([QueueSample])
        case settings(MeterSettings)
        case pd(PDPayload)
        /// No entries: the empty catalogue.
        case logCatalogue([LogEntry])

        var attribute: Attributes {
            switch self {
            case .adc: .adc
            case .adcQueue: .adcQueue
            case .settings: .settings
            case .pd: .pdPacket
            case .logCatalogue: .logMetadata
            }
        }

        var bytes: [UInt8] {
            switch self {
            case .adc(let reading): reading.bytes
            case .adcQueue(let samples): QueuePayload.encode(samples.prefix(QueueSample.ringDepth))
            case .settings(let settings): settings.raw
            case .pd(let payload): payload.bytes
            case .logCatalogue(let entries): entries.flatMap(\.bytes)
            }
        }
    }
}
