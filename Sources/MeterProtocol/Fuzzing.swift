/// One call that runs every decoder of outside bytes; the fuzz target and the tests use the same list.
package enum Fuzzing {
    /// Decodes `bytes` in every way that the harness would. Returns how many decoders took them for something: a value that
    /// depends on the results, so that no decoder is optimised away.
    package static func decodeEverything(_ bytes: [UInt8]) -> Int {
        var taken = 0
        if let reply = try? MeterReply(decoding: bytes) {
            taken += 1 + reply.bytes.count & 1
            if case .data(let data) = reply {
                taken += data.bytes.count & 1
                if let adc = try? data.adc() { taken += adc.bytes.count & 1 }
                if let samples = try? data.queue() { taken += samples.count }
                for payload in data.payloads {
                    if let pd = try? PDPayload(decoding: payload.bytes) { taken += pd.bytes.count & 1 }
                    if (try? MeterSettings(decoding: payload.bytes)) != nil { taken += 1 }
                    if let log = try? LogEntry.decodeCatalogue(payload.bytes) { taken += log.count }
                }
            }
        }
        if let request = try? ReceivedRequest(decoding: bytes), case .known(let known) = request {
            taken += known.bytes.count & 1
        }
        if (try? FrameGuard.check(bytes)) != nil { taken += 1 }
        if let text = try? IdentityText(decoding: bytes) { taken += text.model.count & 1 }
        if let log = try? LogSample.decode(bytes) { taken += log.count }
        var ledger = SampleLedger(meter: "fuzz", stepMilliseconds: 1)
        let whole = bytes.count / QueueSample.size * QueueSample.size
        taken += bytes[..<whole].withUnsafeBytes {
            ledger.take($0, requestedAtNanoseconds: 0, completedAtNanoseconds: 1_000_000_000).count
        }
        _ = ledger.finish(atNanoseconds: 2_000_000_000)
        precondition(ledger.account.isBalanced(stepMilliseconds: 1), "the account does not close")
        if let file = try? CaptureFile(decoding: bytes, name: "fuzz") {
            taken += CaptureReport(rows: file.rows).summary.count & 1
        }
        return taken
    }
}
