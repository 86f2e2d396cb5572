import Foundation

/// Draws a `Plot` as a self-contained SVG that follows the reader's light or dark setting.
package struct SVGWriter: Sendable {
    package var width: Double
    package var height: Double

    package init(width: Double = 860, height: Double = 300) {
        self.width = width
        self.height = height
    }

    /// Colours that stay apart for colour-blind readers (Okabe and Ito's set), by position.
    static let palette = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#7f6000", "#666666"]

    static let style = """
        <style>.wb-axis{stroke:#888;stroke-width:1}.wb-grid{stroke:#8883;stroke-width:1}\
        .wb-t{font:11px system-ui,sans-serif;fill:#444}.wb-h{font:600 13px system-ui,sans-serif;fill:#222}\
        @media (prefers-color-scheme:dark){.wb-t{fill:#bbb}.wb-h{fill:#eee}}</style>
        """

    private struct Frame {
        var left = 62.0
        var top = 30.0
        var right: Double
        var bottom: Double
        var x: AxisScale
        var y: AxisScale
        func px(_ value: Double) -> Double { left + x.fraction(of: value) * (right - left) }
        func py(_ value: Double) -> Double { bottom - y.fraction(of: value) * (bottom - top) }
    }

    package func svg(_ plot: Plot) -> String {
        let legendRows = legendEntries(plot).isEmpty ? 0.0 : (Double(legendEntries(plot).count) / 5).rounded(.up)
        let x =
            plot.categories.isEmpty
            ? AxisScale(
                lower: plot.xExtent.filter(\.isFinite).min() ?? 0, upper: plot.xExtent.filter(\.isFinite).max() ?? 1)
            : AxisScale(lower: 0, upper: Double(plot.categories.count))
        let frame = Frame(
            right: width - 14, bottom: height - 44 - 16 * legendRows, x: x,
            y: AxisScale(covering: plot.yExtent, includeZero: plot.yIncludesZero))
        var out = """
            <svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 \(n(width)) \(n(height))" role="img" \
            aria-label="\(escaped(plot.title))">\(Self.style)
            <text class="wb-h" x="\(n(frame.left))" y="18">\(escaped(plot.title))</text>

            """
        out += bands(plot, frame)
        out += axes(plot, frame)
        for (index, series) in plot.series.enumerated() { out += draw(series, index, plot, frame) }
        out += legend(plot, frame)
        return out + "</svg>\n"
    }

    // MARK: parts

    private func axes(_ plot: Plot, _ f: Frame) -> String {
        var out = ""
        for tick in f.y.ticks {
            out += "<line class=\"wb-grid\" x1=\"\(n(f.left))\" x2=\"\(n(f.right))\" y1=\"\(n(f.py(tick)))\" "
            out += "y2=\"\(n(f.py(tick)))\"/><text class=\"wb-t\" text-anchor=\"end\" x=\"\(n(f.left - 6))\" "
            out += "y=\"\(n(f.py(tick) + 4))\">\(AxisScale.label(tick))</text>\n"
        }
        if plot.categories.isEmpty {
            for tick in f.x.ticks {
                out += "<text class=\"wb-t\" text-anchor=\"middle\" x=\"\(n(f.px(tick)))\" y=\"\(n(f.bottom + 15))\">"
                out += "\(AxisScale.label(tick))</text>\n"
            }
        } else {
            for (index, name) in plot.categories.enumerated() {
                out += "<text class=\"wb-t\" text-anchor=\"middle\" x=\"\(n(f.px(Double(index) + 0.5)))\" "
                out += "y=\"\(n(f.bottom + 15))\">\(escaped(name))</text>\n"
            }
        }
        out +=
            "<line class=\"wb-axis\" x1=\"\(n(f.left))\" x2=\"\(n(f.right))\" y1=\"\(n(f.bottom))\" y2=\"\(n(f.bottom))\"/>"
        out +=
            "<text class=\"wb-t\" text-anchor=\"middle\" x=\"\(n((f.left + f.right) / 2))\" y=\"\(n(f.bottom + 32))\">"
        out += "\(escaped(plot.xLabel))</text><text class=\"wb-t\" text-anchor=\"middle\" transform=\"rotate(-90 14 "
        out +=
            "\(n((f.top + f.bottom) / 2)))\" x=\"14\" y=\"\(n((f.top + f.bottom) / 2))\">\(escaped(plot.yLabel))</text>\n"
        return out
    }

    private func bands(_ plot: Plot, _ f: Frame) -> String {
        let labels = bandLabels(plot)
        return plot.bands.map { band in
            let colour = Self.palette[(labels.firstIndex(of: band.label) ?? 0) % Self.palette.count]
            let left = max(f.px(band.from), f.left)
            let right = min(f.px(band.to), f.right)
            guard right > left else { return "" }
            return
                "<rect x=\"\(n(left))\" y=\"\(n(f.top))\" width=\"\(n(right - left))\" height=\"\(n(f.bottom - f.top))\" "
                + "fill=\"\(colour)\" fill-opacity=\"0.16\"><title>\(escaped(band.label))</title></rect>\n"
        }.joined()
    }

    private func draw(_ series: Plot.Series, _ index: Int, _ plot: Plot, _ f: Frame) -> String {
        let colour = Self.palette[index % Self.palette.count]
        switch series.shape {
        case .line(let x, let y):
            return path(x, y, f).map { "<path d=\"\($0)\" fill=\"none\" stroke=\"\(colour)\" stroke-width=\"1.4\"/>\n" }
                ?? ""
        case .envelope(let x, let low, let high):
            return envelope(x, low, high, colour, f)
        case .points(let x, let y, let half):
            return x.indices.map { i in
                errorBar(f.px(x[i]), y[i], half.count == y.count ? half[i] : 0, colour, f)
                    + "<circle cx=\"\(n(f.px(x[i])))\" cy=\"\(n(f.py(y[i])))\" r=\"2.6\" fill=\"\(colour)\"/>\n"
            }.joined()
        case .bars(let values, let half):
            let groups = plot.series.count { if case .bars = $0.shape { true } else { false } }
            let slot = 0.8 / Double(max(groups, 1))
            return values.indices.map { i in
                let from = f.px(Double(i) + 0.1 + slot * Double(index))
                let to = f.px(Double(i) + 0.1 + slot * Double(index + 1)) - 1
                let top = f.py(max(values[i], 0))
                let base = f.py(min(values[i], 0))
                let bar =
                    "<rect x=\"\(n(from))\" width=\"\(n(to - from))\" y=\"\(n(top))\" height=\"\(n(base - top))\" "
                    + "fill=\"\(colour)\" fill-opacity=\"0.85\"><title>\(escaped(series.name)): \(AxisScale.label(values[i]))</title></rect>\n"
                return bar + errorBar((from + to) / 2, values[i], half.count == values.count ? half[i] : 0, "#222", f)
            }.joined()
        }
    }

    private func errorBar(_ x: Double, _ y: Double, _ half: Double, _ colour: String, _ f: Frame) -> String {
        guard half > 0, half.isFinite else { return "" }
        return "<line x1=\"\(n(x))\" x2=\"\(n(x))\" y1=\"\(n(f.py(y - half)))\" y2=\"\(n(f.py(y + half)))\" "
            + "stroke=\"\(colour)\" stroke-width=\"1.2\"/>\n"
    }

    private func path(_ x: [Double], _ y: [Double], _ f: Frame) -> String? {
        var out = ""
        var down = false
        for (a, b) in zip(x, y) {
            guard a.isFinite, b.isFinite else {
                down = false
                continue
            }
            out += "\(down ? "L" : "M")\(n(f.px(a))) \(n(f.py(b)))"
            down = true
        }
        return out.isEmpty ? nil : out
    }

    private func envelope(_ x: [Double], _ low: [Double], _ high: [Double], _ colour: String, _ f: Frame) -> String {
        var d = ""
        for i in x.indices where low[i].isFinite && high[i].isFinite {
            // A column with one value would have no height and vanish; half a pixel keeps it visible.
            let top = f.py(high[i]) - 0.4
            d += "M\(n(f.px(x[i]))) \(n(top))V\(n(f.py(low[i]) + 0.4))"
        }
        return d.isEmpty ? "" : "<path d=\"\(d)\" fill=\"none\" stroke=\"\(colour)\" stroke-width=\"1.1\"/>\n"
    }

    private func bandLabels(_ plot: Plot) -> [String] {
        var seen: [String] = []
        for band in plot.bands where !seen.contains(band.label) { seen.append(band.label) }
        return seen
    }

    private func legendEntries(_ plot: Plot) -> [(String, String, Double)] {
        let bands = bandLabels(plot).enumerated().map { ($1, Self.palette[$0 % Self.palette.count], 0.3) }
        let named = plot.series.enumerated().filter { !$1.name.isEmpty }
            .map { ($1.name, Self.palette[$0 % Self.palette.count], 1.0) }
        return (plot.series.count > 1 ? named : []) + bands
    }

    private func legend(_ plot: Plot, _ f: Frame) -> String {
        legendEntries(plot).enumerated().map { index, entry in
            let x = f.left + Double(index % 5) * 158
            let y = f.bottom + 48 + 16 * Double(index / 5)
            return
                "<rect x=\"\(n(x))\" y=\"\(n(y - 9))\" width=\"10\" height=\"10\" fill=\"\(entry.1)\" fill-opacity=\"\(entry.2)\"/>"
                + "<text class=\"wb-t\" x=\"\(n(x + 14))\" y=\"\(n(y))\">\(escaped(entry.0))</text>\n"
        }.joined()
    }

    private func n(_ value: Double) -> String { AxisScale.label((value * 10).rounded() / 10) }
}
