package import Traces

/// One AdcQueue sample (attribute 2) as on the wire, 20 bytes.
package struct QueueSample: Sendable, Equatable {
    package static let size = 20
    /// Samples that the meter's ring holds, and the most that one reply can carry (6-bit chunk field).
    package static let ringDepth = 63

    /// Meter uptime, ms, as sent: wraps after 49.7 days.
    package var uptimeMilliseconds: UInt32
    package var vbusMicrovolts: Int32
    package var ibusMicroamperes: Int32
    /// 0.1 mV at rate index 0, 1 mV at rate indices 1 to 3.
    package var cc1: UInt16
    package var cc2: UInt16
    package var dPlus: UInt16
    package var dMinus: UInt16

    package init(
        uptimeMilliseconds: UInt32, vbusMicrovolts: Int32, ibusMicroamperes: Int32, cc1: UInt16 = 0, cc2: UInt16 = 0,
        dPlus: UInt16 = 0, dMinus: UInt16 = 0
    ) {
        self.uptimeMilliseconds = uptimeMilliseconds
        self.vbusMicrovolts = vbusMicrovolts
        self.ibusMicroamperes = ibusMicroamperes
        self.cc1 = cc1
        self.cc2 = cc2
        self.dPlus = dPlus
        self.dMinus = dMinus
    }

    /// - Precondition: 20 bytes from `offset` are inside `raw`.
    @inline(__always)
    init(_ raw: UnsafeRawBufferPointer, at offset: Int) {
        uptimeMilliseconds = UInt32(littleEndian: raw.loadUnaligned(fromByteOffset: offset, as: UInt32.self))
        vbusMicrovolts = Int32(littleEndian: raw.loadUnaligned(fromByteOffset: offset + 4, as: Int32.self))
        ibusMicroamperes = Int32(littleEndian: raw.loadUnaligned(fromByteOffset: offset + 8, as: Int32.self))
        cc1 = UInt16(littleEndian: raw.loadUnaligned(fromByteOffset: offset + 12, as: UInt16.self))
        cc2 = UInt16(littleEndian: raw.loadUnaligned(fromByteOffset: offset + 14, as: UInt16.self))
        dPlus = UInt16(littleEndian: raw.loadUnaligned(fromByteOffset: offset + 16, as: UInt16.self))
        dMinus = UInt16(littleEndian: raw.loadUnaligned(fromByteOffset: offset + 18, as: UInt16.self))
    }

    /// Appends the 20 bytes.
    package func append(to out: inout [UInt8]) {
        out.append(little: uptimeMilliseconds)
        out.append(little: vbusMicrovolts)
        out.append(little: ibusMicroamperes)
        out.append(little: cc1)
        out.append(little: cc2)
        out.append(little: dPlus)
        out.append(little: dMinus)
    }

    /// The sample with its uptime placed on the unwrapped 64-bit clock.
    @inline(__always)
    package func sample(atUptime uptime: Int64) -> Sample {
        Sample(
            uptimeMilliseconds: uptime, vbusMicrovolts: vbusMicrovolts, ibusMicroamperes: ibusMicroamperes, cc1: cc1,
            cc2: cc2, dPlus: dPlus, dMinus: dMinus)
    }
}

/// The AdcQueue payload: a run of samples.
package enum QueuePayload {
    /// All samples of a payload. Uptimes are as sent.
    ///
    /// - Throws: `wrongLength` unless the payload is a whole number of samples.
    package static func decode(_ payload: some Collection<UInt8>) throws(ProtocolFailure) -> [QueueSample] {
        guard payload.count.isMultiple(of: QueueSample.size) else {
            throw .wrongLength(
                part: "AdcQueue payload", expected: "a multiple of \(QueueSample.size)", found: payload.count)
        }
        let bytes = Array(payload)
        return bytes.withUnsafeBytes { raw in
            (0..<raw.count / QueueSample.size).map { QueueSample(raw, at: $0 * QueueSample.size) }
        }
    }

    package static func encode(_ samples: some Sequence<QueueSample>) -> [UInt8] {
        var out: [UInt8] = []
        for sample in samples { sample.append(to: &out) }
        return out
    }

    /// The fast path: reads `raw` (a whole number of samples) into `out` without touching single bytes.
    ///
    /// The 64-bit uptimes continue from `previous`: the upper bits are those that bring each uptime nearest to the one
    /// before it, so the 49.7-day wrap and small steps back both come out right. No sample is judged here.
    /// - Returns: the number of samples written: the least of what both buffers hold.
    package static func decode(
        _ raw: UnsafeRawBufferPointer, into out: UnsafeMutableBufferPointer<Sample>, after previous: Int64
    ) -> Int {
        let count = min(raw.count / QueueSample.size, out.count)
        guard count > 0, let target = out.baseAddress else { return 0 }
        var last = previous
        for k in 0..<count {
            let sample = QueueSample(raw, at: k * QueueSample.size)
            last &+= Int64(Int32(truncatingIfNeeded: Int64(sample.uptimeMilliseconds) &- last))
            (target + k).initialize(to: sample.sample(atUptime: last))
        }
        return count
    }

    /// The fast path into a fresh array.
    package static func decode(_ raw: UnsafeRawBufferPointer, after previous: Int64) -> [Sample] {
        [Sample](unsafeUninitializedCapacity: raw.count / QueueSample.size) { buffer, count in
            count = decode(raw, into: buffer, after: previous)
        }
    }
}
