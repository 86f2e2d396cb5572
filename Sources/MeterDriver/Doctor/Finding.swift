/// One thing the doctor looked at.
package struct Finding: Sendable, Equatable, Encodable {
    package enum Verdict: String, Sendable, Encodable, CaseIterable {
        case ok
        /// Worth knowing; nothing to mend.
        case note
        /// Works, but something will be worse than it could be.
        case warning
        /// The bench cannot record like this.
        case failure
    }

    /// Stable word for programs: `meters`, `hub_budget`, …
    package var check: String
    package var verdict: Verdict
    package var finding: String
    /// What to do; nil where there is nothing to do.
    package var mend: String?

    package init(_ check: String, _ verdict: Verdict, _ finding: String, mend: String? = nil) {
        self.check = check
        self.verdict = verdict
        self.finding = finding
        self.mend = mend
    }
}

/// Everything the doctor found.
package struct DoctorReport: Sendable, Equatable, Encodable {
    package var isReady: Bool
    package var checks: [Finding]

    enum CodingKeys: String, CodingKey {
        case isReady = "ready"
        case checks
    }

    package init(checks: [Finding]) {
        self.checks = checks
        isReady = !checks.contains { $0.verdict == .failure }
    }

    package var text: String {
        let lines = checks.map { finding -> String in
            let word =
                switch finding.verdict {
                case .ok: "ok     "
                case .note: "note   "
                case .warning: "WARNING"
                case .failure: "FAILURE"
                }
            return "\(word)  \(finding.check): \(finding.finding)"
                + (finding.mend.map { "\n             -> \($0)" } ?? "")
        }
        return (lines + [isReady ? "ready" : "not ready: mend the failures above"]).joined(separator: "\n")
    }
}
