/// The lower convex hull of a cloud of points, and the clock line under it.
///
/// For pairs "counter, arrival time" delay only ever adds, so the clock is a line under all points. The line that keeps
/// all residuals non-negative and makes their sum smallest (the maximum likelihood line for exponential delays) is the
/// hull edge that spans the mean of x.
package struct LowerEnvelope: Sendable, Equatable {
    /// Corners in ascending x.
    package private(set) var corners: [Point]
    /// Mean of all points, not only of the corners.
    package private(set) var mean: Point
    package private(set) var count: Int

    package struct Point: Sendable, Equatable {
        package var x: Double
        package var y: Double
        package init(x: Double, y: Double) {
            self.x = x
            self.y = y
        }
    }

    /// - Parameter points: in ascending x (equal x allowed); empty gives an empty hull.
    package init(_ points: some Sequence<Point>) {
        var hull: [Point] = []
        var origin: Point?
        var sum = Point(x: 0, y: 0)
        var count = 0
        for point in points {
            let start = origin ?? point
            origin = start
            sum.x += point.x - start.x
            sum.y += point.y - start.y
            count += 1
            if let last = hull.last, last.x == point.x {
                if point.y >= last.y { continue }
                hull.removeLast()
            }
            while hull.count >= 2 {
                let a = hull[hull.count - 2]
                let b = hull[hull.count - 1]
                // On or above the chord from a to the new point: b is no corner of the lower hull.
                guard (b.y - a.y) * (point.x - a.x) >= (point.y - a.y) * (b.x - a.x) else { break }
                hull.removeLast()
            }
            hull.append(point)
        }
        corners = hull
        self.count = count
        let start = origin ?? Point(x: 0, y: 0)
        let n = Double(max(count, 1))
        mean = Point(x: start.x + sum.x / n, y: start.y + sum.y / n)
    }

    /// Slope of the edge that spans the mean of x; nil if all x are equal.
    package var slope: Double? {
        guard corners.count >= 2 else { return nil }
        var edge = 0
        while edge + 2 < corners.count, corners[edge + 1].x < mean.x { edge += 1 }
        let a = corners[edge]
        let b = corners[edge + 1]
        return (b.y - a.y) / (b.x - a.x)
    }

    /// Height at `x` of the highest line of the given slope that has no point below it.
    package func support(slope: Double, at x: Double) -> Double {
        corners.map { $0.y + slope * (x - $0.x) }.min() ?? .nan
    }

    /// The slope shared by several clouds that differ by unknown offsets (stretches between clock steps): minimises the
    /// sum of all residuals above the supporting lines, a convex function of the slope.
    package static func commonSlope(of envelopes: [LowerEnvelope], limit: Double = 1e-3) -> Double? {
        let usable = envelopes.filter { $0.slope != nil }
        guard let first = usable.first else { return nil }
        if usable.count == 1 { return first.slope }
        func cost(_ slope: Double) -> Double {
            usable.reduce(0) { sum, envelope in
                let height = envelope.mean.y - envelope.support(slope: slope, at: envelope.mean.x)
                return sum + Double(envelope.count) * height
            }
        }
        var low = -limit
        var high = limit
        for _ in 0..<120 {
            let third = (high - low) / 3
            if cost(low + third) <= cost(high - third) { high -= third } else { low += third }
        }
        return (low + high) / 2
    }
}
