import Foundation
import Testing

@testable import Report

@Suite struct PlotTests {
    @Test func ticksAreRoundAndCoverTheData() {
        let axis = AxisScale(covering: [0.13, 4.71])
        #expect(axis.lower <= 0.13 && axis.upper >= 4.71)
        #expect(axis.ticks == [0, 1, 2, 3, 4, 5])
        #expect(AxisScale(covering: []).ticks.count > 1)
        #expect(AxisScale(covering: [5, 5]).upper > 5)
    }

    @Test func labelsCarryNoNeedlessDigits() {
        #expect(AxisScale.label(2.5) == "2.5")
        #expect(AxisScale.label(100) == "100")
        #expect(AxisScale.label(-0.0001) == "-0.0001")
        #expect(AxisScale.label(0) == "0")
    }

    @Test func aGapBreaksTheLine() {
        let plot = Plot(
            title: "gap", xLabel: "t", yLabel: "P",
            series: [.init(name: "P", shape: .line(x: [0, 1, 2, 3], y: [1, .nan, 2, 3]))])
        let svg = SVGWriter().svg(plot)
        let path = svg.split(separator: "<path d=\"").dropFirst().first?.prefix { $0 != "\"" } ?? ""
        #expect(path.filter { $0 == "M" }.count == 2)
    }

    @Test func everyKindOfPlotIsWellFormedXML() throws {
        let plots = [
            Plot(
                title: "a & <b>", xLabel: "x", yLabel: "y",
                series: [.init(name: "s", shape: .points(x: [1], y: [2], halfWidth: [0.5]))]),
            Plot(
                title: "bars", xLabel: "", yLabel: "g",
                series: [
                    .init(name: "one", shape: .bars(values: [1, -2], halfWidth: [0.1, 0.2])),
                    .init(name: "two", shape: .bars(values: [3, 4], halfWidth: [])),
                ],
                categories: ["none", "deta"], yIncludesZero: true),
            Plot(
                title: "env", xLabel: "s", yLabel: "W",
                series: [.init(name: "P", shape: .envelope(x: [0, 1], low: [1, .nan], high: [2, .nan]))],
                bands: [.init(from: 0, to: 0.5, label: "local_train")]),
            Plot(title: "empty", xLabel: "", yLabel: "", series: []),
        ]
        for plot in plots {
            let svg = SVGWriter().svg(plot)
            #expect(try wellFormed(svg), "\(plot.title)")
        }
    }

    @Test func pageTextCannotBecomeMarkup() throws {
        let page = HTMLPage(
            title: "<script>", lead: "\"quoted\" & 'single'",
            sections: [
                .init("t", [.notice("<b>"), .table(header: ["<th>"], rows: [["&"]], caption: ""), .list(["<i>"])])
            ])
        #expect(!page.html.contains("<script>"))
        #expect(!page.html.contains("<b>"))
        #expect(page.html.contains("&quot;quoted&quot; &amp; &#39;single&#39;"))
    }

    /// Checks tags with a stack: enough to catch an unclosed or badly quoted element.
    private func wellFormed(_ svg: String) throws -> Bool {
        var open: [Substring] = []
        for match in svg.matches(
            of: try Regex(
                "<(/?)([a-zA-Z]+)((?:\\s+[a-zA-Z:0-9-]+=\"[^\"<]*\")*)\\s*(/?)>",
                as: (Substring, Substring, Substring, Substring, Substring).self))
        {
            let (_, closing, name, _, selfClosing) = match.output
            if closing == "/" {
                guard open.popLast() == name else { return false }
            } else if selfClosing.isEmpty {
                open.append(name)
            }
        }
        let tags = svg.split(separator: "<").count - 1
        let matched = svg.matches(of: try Regex("<(/?)([a-zA-Z]+)((?:\\s+[a-zA-Z:0-9-]+=\"[^\"<]*\")*)\\s*(/?)>")).count
        return open.isEmpty && matched >= tags
    }
}
