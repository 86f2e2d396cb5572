import MeterProtocol

/// Distortions of the frames that a meter sends.
enum FrameFaults {
    private static let headers = 8

    /// True if the frame is a data reply whose first payload is a sample queue with samples.
    static func carriesSamples(_ frame: [UInt8]) -> Bool {
        frame.count >= headers + QueueSample.size && frame[0] == 0x41 && frame[4] == 0x02 && frame[5] & 0x7F == 0
    }

    static func sampleCount(_ frame: [UInt8]) -> Int { (frame.count - headers) / QueueSample.size }

    /// - Parameters:
    ///   - samples: for `repeated_prefix`: how many old samples come again.
    ///   - last: sample bytes of the reply before.
    static func distort(
        _ frame: [UInt8], kind: FaultKind, samples: Int, last: [UInt8], counter: UInt8
    ) -> [[UInt8]] {
        var f = frame
        switch kind {
        case .lostReply: return []
        case .shortReply: return [Array(f.dropLast(10))]
        case .wrongSize:
            // Chunk field one higher than the samples that follow.
            f[6] = (f[6] & 0xC0) | ((f[6] & 0x3F) &+ 1)
            return [f]
        case .wrongID:
            f[1] &+= 0x55
            return [f]
        case .unsolicited: return [[0x05, 0xE7, 0, 0], f]
        case .disconnectBetween: return [[0x03, counter, 0, 0], f]
        case .zeroSample:
            let at = headers + sampleCount(f) / 2 * QueueSample.size
            f.replaceSubrange(at..<at + QueueSample.size, with: [UInt8](repeating: 0, count: QueueSample.size))
            return [f]
        case .tornSample:
            // Uptime of a sample half a minute away, voltage bytes of nothing that was ever measured.
            let at = headers + sampleCount(f) / 2 * QueueSample.size
            f[at + 2] ^= 0x80
            f[at + 6] = 0xA5
            return [f]
        case .outOfOrder:
            guard sampleCount(f) >= 2 else { return [f] }
            let at = headers + (sampleCount(f) / 2 - 1) * QueueSample.size
            let first = Array(f[at..<at + QueueSample.size])
            let second = Array(f[at + QueueSample.size..<at + 2 * QueueSample.size])
            f.replaceSubrange(at..<at + 2 * QueueSample.size, with: second + first)
            return [f]
        case .repeatedPrefix:
            let fresh = Array(f[headers...])
            let room = QueueSample.ringDepth - fresh.count / QueueSample.size
            let old = last.suffix(min(samples, room) * QueueSample.size)
            let count = (old.count + fresh.count) / QueueSample.size
            var out = Array(f[..<headers]) + old + fresh
            out[6] = (out[6] & 0xC0) | UInt8(count)
            let words = DataHeader.putDataWords(frameLength: out.count)
            out[2] = (out[2] & 0x3F) | UInt8(truncatingIfNeeded: words << 6)
            out[3] = UInt8(truncatingIfNeeded: words >> 2)
            return [out]
        default: return [f]
        }
    }
}
