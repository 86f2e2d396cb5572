/// One figure: what is drawn, in data units. `SVGWriter` turns it into a picture; nothing here knows pixels.
package struct Plot: Sendable {
    /// A coloured stretch of the x axis, such as a phase.
    package struct Band: Sendable {
        package var from: Double
        package var to: Double
        package var label: String
        /// Bands of the same label share a colour.
        package init(from: Double, to: Double, label: String) {
            self.from = from
            self.to = to
            self.label = label
        }
    }

    package enum Shape: Sendable {
        /// A polyline; a NaN breaks it, so a gap is seen as a gap.
        case line(x: [Double], y: [Double])
        /// Smallest and largest value per column, so that no spike is lost; NaN breaks it.
        case envelope(x: [Double], low: [Double], high: [Double])
        /// Points with expanded uncertainties (0 or empty = none drawn).
        case points(x: [Double], y: [Double], halfWidth: [Double])
        /// One bar per category of the plot, with expanded uncertainties (0 or empty = none drawn).
        case bars(values: [Double], halfWidth: [Double])
    }

    package struct Series: Sendable {
        package var name: String
        package var shape: Shape
        package init(name: String, shape: Shape) {
            self.name = name
            self.shape = shape
        }
    }

    package var title: String
    package var xLabel: String
    package var yLabel: String
    package var series: [Series]
    package var bands: [Band]
    /// Names below the bars; empty for a numeric x axis.
    package var categories: [String]
    package var yIncludesZero: Bool

    package init(
        title: String, xLabel: String, yLabel: String, series: [Series], bands: [Band] = [],
        categories: [String] = [], yIncludesZero: Bool = false
    ) {
        self.title = title
        self.xLabel = xLabel
        self.yLabel = yLabel
        self.series = series
        self.bands = bands
        self.categories = categories
        self.yIncludesZero = yIncludesZero
    }

    /// Every y value that must be visible, uncertainties included.
    var yExtent: [Double] {
        series.flatMap { item -> [Double] in
            switch item.shape {
            case .line(_, let y): y
            case .envelope(_, let low, let high): low + high
            case .points(_, let y, let half), .bars(let y, let half): Self.withMargins(y, half)
            }
        }
    }

    var xExtent: [Double] {
        series.flatMap { item -> [Double] in
            switch item.shape {
            case .line(let x, _), .envelope(let x, _, _), .points(let x, _, _): x
            case .bars: []
            }
        } + bands.flatMap { [$0.from, $0.to] }
    }

    private static func withMargins(_ y: [Double], _ half: [Double]) -> [Double] {
        guard half.count == y.count else { return y }
        return zip(y, half).flatMap { [$0 - $1, $0 + $1] }
    }
}
