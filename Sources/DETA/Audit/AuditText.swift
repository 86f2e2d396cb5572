import Foundation

/// Findings for people and for scripts.
package enum AuditText {
    package static func table(
        _ reports: [Audit.Report], withoutSchedule: [AnswerFile.Claim], fleet: Instance
    ) -> String {
        var lines: [String] = []
        for report in reports {
            let verdict = report.passed ? "every rule holds" : "\(report.findings.count) rules broken"
            lines.append(
                "\(report.variant): \(verdict) (\(report.rulesChecked) checks, largest residual "
                    + String(format: "%.1e), %.6f g", report.largestResidual, report.objectiveG))
            for finding in report.findings.prefix(20) {
                var place: [String] = []
                if let server = finding.server { place.append("server \(fleet.servers[server].id)") }
                if let slot = finding.slot { place.append("slot \(slot)") }
                let at = place.isEmpty ? "fleet" : place.joined(separator: ", ")
                lines.append("  \(finding.rule), \(at): \(finding.text)")
            }
            if report.findings.count > 20 { lines.append("  ... \(report.findings.count - 20) more") }
        }
        for claim in withoutSchedule { lines.append("\(claim.variant): no schedule (\(claim.status))") }
        return lines.joined(separator: "\n")
    }

    package static func json(_ reports: [Audit.Report], withoutSchedule: [String]) -> String {
        var out = JSONWriter()
        out.object { out in
            out.key("variants")
            out.object { out in
                for report in reports {
                    out.key(report.variant)
                    out.object { out in
                        out.member("passed", report.passed)
                        out.member("checks", report.rulesChecked)
                        out.member("objective_g", report.objectiveG)
                        out.member("largest_residual", report.largestResidual)
                        out.key("findings")
                        out.array(report.findings) { out, finding in
                            out.object { out in
                                out.member("rule", finding.rule)
                                if let server = finding.server { out.member("server", server) }
                                if let slot = finding.slot { out.member("slot", slot) }
                                out.member("amount", finding.amount)
                                out.member("text", finding.text)
                            }
                        }
                    }
                }
            }
            out.key("without_schedule")
            out.array(withoutSchedule) { out, name in out.value(name) }
        }
        return String(decoding: out.data, as: UTF8.self)
    }
}
