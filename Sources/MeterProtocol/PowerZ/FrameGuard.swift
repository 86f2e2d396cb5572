/// The one place that says whether a frame may be sent to a meter. Everything that is not known to be harmless is
/// refused; the transports ask here before every OUT transfer.
package enum FrameGuard {
    /// Passes frames that only read, open, close or start and stop streaming.
    ///
    /// - Throws: `refused` with the reason: a type that resets, reflashes or writes; a type nobody has explained; a memory
    ///   read outside `MemoryMap`; a frame whose length or argument does not fit its type.
    package static func check(_ frame: [UInt8]) throws(ProtocolFailure) {
        guard let header = try? ControlHeader(decoding: frame) else {
            throw .refused(type: frame.first ?? 0, why: "\(frame.count) bytes are no frame")
        }
        let raw = frame[0]
        if FrameType.dangerous.contains(header.type) {
            throw .refused(type: raw, why: "it can reset, reflash or rewrite the meter")
        }
        let request: ReceivedRequest
        do throws(ProtocolFailure) {
            request = try ReceivedRequest(decoding: frame)
        } catch {
            throw .refused(type: raw, why: error.description)
        }
        guard case .known(let known) = request else {
            throw .refused(type: raw, why: "what it does is not known")
        }
        switch known.command {
        case .getData(let mask):
            guard !mask.isEmpty, Attributes.askable.isSuperset(of: mask) else {
                throw .refused(type: raw, why: "attribute mask \(hex(mask.rawValue)) asks for more than is known")
            }
        case .startGraph(let rate):
            guard rate <= 3 else { throw .refused(type: raw, why: "rate index \(rate) is not 0 to 3") }
        case .memoryRead(let range):
            guard MemoryMap.isReadable(address: range.address, size: range.size) else {
                throw .refused(
                    type: raw,
                    why: "reading \(range.size) bytes at \(hex(range.address)) is not known to be harmless")
            }
        case .connect, .disconnect, .stopGraph, .streamingAuth:
            break
        }
        // A known frame is sent only in the one form that captures show: no stray flag bits.
        guard known.bytes == frame else {
            throw .refused(type: raw, why: "its header has bits that captures never show")
        }
    }
}
