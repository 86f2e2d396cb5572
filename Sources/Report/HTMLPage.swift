/// Makes text safe inside HTML and SVG, attributes included.
package func escaped(_ text: String) -> String {
    var out = ""
    out.reserveCapacity(text.count)
    for character in text {
        switch character {
        case "&": out += "&amp;"
        case "<": out += "&lt;"
        case ">": out += "&gt;"
        case "\"": out += "&quot;"
        case "'": out += "&#39;"
        default: out.append(character)
        }
    }
    return out
}

/// A self-contained page: sections of text, tables and figures; no script, no outside file; prints to paper.
package struct HTMLPage: Sendable {
    package enum Block: Sendable {
        case paragraph(String)
        /// A sentence that must not be overlooked: unverified model, assumption, failed rule.
        case notice(String)
        /// `align` right for every column but the first; cells are plain text.
        case table(header: [String], rows: [[String]], caption: String)
        case figure(svg: String, caption: String)
        case list([String])
    }

    package struct Section: Sendable {
        package var title: String
        package var blocks: [Block]
        package init(_ title: String, _ blocks: [Block]) {
            self.title = title
            self.blocks = blocks
        }
    }

    package var title: String
    package var lead: String
    package var sections: [Section]

    package init(title: String, lead: String, sections: [Section]) {
        self.title = title
        self.lead = lead
        self.sections = sections
    }

    private static let style = """
        :root{color-scheme:light dark;--line:#8884;--soft:#8881;--warn:#b45309}
        body{font:15px/1.5 system-ui,sans-serif;max-width:920px;margin:2rem auto;padding:0 1rem}
        h1{font-size:1.6rem;margin-bottom:.2rem}h2{font-size:1.15rem;margin-top:2rem;border-bottom:1px solid var(--line)}
        .lead{opacity:.8}table{border-collapse:collapse;font-size:13px;margin:.6rem 0;width:100%}
        th,td{padding:.25rem .5rem;border-bottom:1px solid var(--line);text-align:right;font-variant-numeric:tabular-nums}
        th:first-child,td:first-child{text-align:left}caption{caption-side:bottom;text-align:left;opacity:.75;padding:.3rem 0}
        .wide{overflow-x:auto}figure{margin:1rem 0}figure svg{width:100%;height:auto}figcaption{font-size:13px;opacity:.75}
        .notice{border-left:4px solid var(--warn);background:var(--soft);padding:.5rem .8rem;margin:.6rem 0}
        @media print{body{max-width:none;margin:0}h2{break-after:avoid}figure,table{break-inside:avoid}}
        """

    package var html: String {
        var out = """
            <!doctype html>
            <html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">
            <title>\(escaped(title))</title><style>\(Self.style)</style></head><body>
            <h1>\(escaped(title))</h1><p class="lead">\(escaped(lead))</p>

            """
        for section in sections {
            out += "<section><h2>\(escaped(section.title))</h2>\n"
            for block in section.blocks { out += Self.render(block) + "\n" }
            out += "</section>\n"
        }
        return out + "</body></html>\n"
    }

    private static func render(_ block: Block) -> String {
        switch block {
        case .paragraph(let text): return "<p>\(escaped(text))</p>"
        case .notice(let text): return "<p class=\"notice\" role=\"note\">\(escaped(text))</p>"
        case .figure(let svg, let caption): return "<figure>\(svg)<figcaption>\(escaped(caption))</figcaption></figure>"
        case .list(let items): return "<ul>" + items.map { "<li>\(escaped($0))</li>" }.joined() + "</ul>"
        case .table(let header, let rows, let caption):
            let head = header.map { "<th scope=\"col\">\(escaped($0))</th>" }.joined()
            let body = rows.map { "<tr>" + $0.map { "<td>\(escaped($0))</td>" }.joined() + "</tr>" }.joined(
                separator: "\n")
            return "<div class=\"wide\"><table><caption>\(escaped(caption))</caption><thead><tr>\(head)</tr></thead>"
                + "<tbody>\(body)</tbody></table></div>"
        }
    }
}
