/// What a probe has learnt of a meter: the questions that only hardware answers (firmware-notes/meters.md). nil: not learnt.
package struct ProbeFindings: Sendable, Equatable, Codable {
    /// Number of stale bytes read before the first request.
    package var staleBytes = 0
    package var connectReply: String?
    package var adcPayloadBytes: Int?
    package var adcVbusMicrovolts: Int32?
    package var adcIbusMicroamperes: Int32?
    package var temperatureCelsius: Double?
    package var stopWhenIdleReply: String?
    package var startWithoutAuthReply: String?
    package var model: String?
    package var hardwareVersion: String?
    package var firmwareVersion: String?
    package var authLevel: UInt8?
    package var authReplyWord: String?
    package var startAfterAuthReply: String?
    /// First field of the samples read at 2 samples/s, ms.
    package var sampleUptimesMilliseconds: [UInt32] = []
    /// Samples that a poll after STOP_GRAPH still gave.
    package var samplesAfterStop: Int?
    package var disconnectReply: String?
    package var unexpectedReplies = 0
    package var failure: String?

    /// Steps between the samples; 500 everywhere if the first field is uptime in ms.
    package var sampleStepsMilliseconds: [Int] {
        zip(sampleUptimesMilliseconds, sampleUptimesMilliseconds.dropFirst()).map {
            Int(Int32(truncatingIfNeeded: $1 &- $0))
        }
    }

    /// One line a finding, for people.
    package var lines: [String] {
        func line(_ name: String, _ value: String?) -> String? { value.map { "\(name): \($0)" } }
        return [
            staleBytes > 0 ? "left over from an earlier session: \(staleBytes) bytes" : nil,
            line("CONNECT", connectReply), line("ADC payload", adcPayloadBytes.map { "\($0) bytes" }),
            line("voltage", adcVbusMicrovolts.map { "\($0) µV" }),
            line("current", adcIbusMicroamperes.map { "\($0) µA" }),
            line("temperature", temperatureCelsius.map { "\($0) °C" }),
            line("STOP_GRAPH while idle", stopWhenIdleReply),
            line("START_GRAPH without authentication", startWithoutAuthReply), line("model", model),
            line("hardware", hardwareVersion), line("firmware", firmwareVersion),
            line("authentication", authLevel.map { "level \($0) (word \(authReplyWord ?? "?"))" }),
            line("START_GRAPH after authentication", startAfterAuthReply),
            sampleUptimesMilliseconds.count > 1 ? "steps of the sample clock, ms: \(sampleStepsMilliseconds)" : nil,
            line("samples left after STOP_GRAPH", samplesAfterStop.map(String.init)),
            line("DISCONNECT", disconnectReply),
            unexpectedReplies > 0 ? "replies that fit nothing known: \(unexpectedReplies)" : nil,
            line("ended early", failure),
        ].compactMap { $0 }
    }
}
