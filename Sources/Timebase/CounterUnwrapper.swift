/// Turns a wrapping counter into a 64-bit one, counting whole wraps across long gaps by arrival time.
///
/// Works for the 16-bit and 32-bit millisecond counters of the meters. Feed it in order of arrival; packets that come
/// late or twice get their true (smaller or equal) value.
package struct CounterUnwrapper: Sendable {
    package enum Reading: Sendable, Equatable {
        /// Unwrapped ticks; may be smaller than the one before if the packet came out of order.
        case ticks(Int64)
        /// The counter cannot have come from the last value in the time that passed: the device restarted, or the
        /// arrival clock was stepped. Carries the value at which counting goes on.
        case restarted(Int64)
    }

    private let modulus: Int64
    private let ticksPerNanosecond: Double
    private var last: (ticks: Int64, arrivalNanoseconds: Int64)?
    /// Arrival time may disagree with the counter by this much before the two are taken to be unrelated, s.
    private let toleranceSeconds: Double

    /// - Parameters:
    ///   - bits: width of the counter, 8...32.
    ///   - rateHertz: nominal ticks per second.
    package init(bits: Int, rateHertz: Double, toleranceSeconds: Double = 5) {
        modulus = Int64(1) << Int64(min(max(bits, 8), 32))
        ticksPerNanosecond = rateHertz * 1e-9
        self.toleranceSeconds = toleranceSeconds
    }

    package mutating func unwrap(_ counter: UInt32, arrivalNanoseconds: Int64) -> Reading {
        let raw = Int64(counter) % modulus
        guard let previous = last else {
            last = (raw, arrivalNanoseconds)
            return .ticks(raw)
        }
        let elapsed = Double(arrivalNanoseconds - previous.arrivalNanoseconds) * ticksPerNanosecond
        let expected = previous.ticks + Int64(elapsed.rounded())
        // The value congruent to the counter that lies nearest to what the arrival time makes us expect.
        var offset = (raw - expected) % modulus
        if offset < 0 { offset += modulus }
        if offset > modulus / 2 { offset -= modulus }
        let tolerance = Int64((toleranceSeconds * ticksPerNanosecond * 1e9 + abs(elapsed) * 1e-3).rounded(.up))
        if abs(offset) <= min(tolerance, modulus / 2) {
            let ticks = expected + offset
            if ticks > previous.ticks { last = (ticks, arrivalNanoseconds) }
            return .ticks(ticks)
        }
        // Unrelated: count on by the smallest step forward, so that ticks stay increasing.
        var forward = (raw - previous.ticks) % modulus
        if forward < 0 { forward += modulus }
        let ticks = previous.ticks + forward
        last = (ticks, arrivalNanoseconds)
        return .restarted(ticks)
    }
}
