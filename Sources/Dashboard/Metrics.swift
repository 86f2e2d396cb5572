/// The status as a Prometheus text page (exposition format 0.0.4); units stand in the names.
package enum Metrics {
    package static func text(_ status: LiveStatus) -> String {
        var out = ""
        func family(_ name: String, _ type: String, _ help: String, _ value: (LiveStatus.Lane) -> Double?) {
            out += "# HELP \(name) \(help)\n# TYPE \(name) \(type)\n"
            for lane in status.lanes {
                guard let number = value(lane) else { continue }
                out += "\(name){meter=\"\(label(lane.meter))\",board=\"\(label(lane.board))\"} \(number)\n"
            }
        }
        family("wattbench_power_watts", "gauge", "Mean power of the last window, raw reading.") { $0.powerWatts }
        family("wattbench_sample_rate_hertz", "gauge", "Samples per second received.") { $0.rateHertz }
        family("wattbench_samples_received_total", "counter", "Samples received.") { Double($0.received) }
        family("wattbench_samples_missing_total", "counter", "Samples known to be missing.") { Double($0.missing) }
        family("wattbench_meter_reconnects_total", "counter", "Sessions opened again.") { Double($0.reconnects) }
        family("wattbench_meter_protocol_verified", "gauge", "1 if the meter's protocol is verified for its model.") {
            $0.protocolStatus == "verified" ? 1 : 0
        }
        if let progress = status.progress {
            out +=
                "# HELP wattbench_run_remaining_seconds Planned time left.\n# TYPE wattbench_run_remaining_seconds gauge\n"
            out += "wattbench_run_remaining_seconds \(progress.remainingSeconds)\n"
        }
        return out
    }

    /// Escapes a label value: backslash, quote and newline.
    static func label(_ text: String) -> String {
        text.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"").replacing("\n", with: "\\n")
    }
}
