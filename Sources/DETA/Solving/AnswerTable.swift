import Foundation

/// An answer as a table for people.
package enum AnswerTable {
    package static func text(_ answer: Answer) -> String {
        var lines = ["\(answer.instance), \(answer.solver)"]
        lines.append(row("variant", "status", "carbon, g", "proven bound, g", "gap", "vs none", "vs greedy", "time"))
        for (variant, part) in answer.variants {
            lines.append(
                row(
                    variant.rawValue, part.status.rawValue, number(part.objectiveG), number(part.boundG),
                    percent(part.gap, digits: 4), percent(answer.reduction(variant), digits: 2),
                    percent(answer.reduction(variant, against: .greedy), digits: 2),
                    String(format: "%.2f s", part.seconds)))
        }
        return lines.joined(separator: "\n")
    }

    private static func row(_ cells: String...) -> String {
        let widths = [13, 12, 14, 16, 10, 10, 10, 10]
        return zip(cells, widths).enumerated().map { column, cell in
            let space = String(repeating: " ", count: max(0, cell.1 - cell.0.count))
            return column < 2 ? cell.0 + space : space + cell.0
        }.joined(separator: " ")
    }

    private static func number(_ value: Double?) -> String { value.map { String(format: "%.6f", $0) } ?? "-" }

    private static func percent(_ value: Double?, digits: Int) -> String {
        value.map { String(format: "%.\(digits)f %%", 100 * $0) } ?? "-"
    }
}
