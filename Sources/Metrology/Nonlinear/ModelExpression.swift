import Foundation

/// A model written as text ("b1*(1-exp(-b2*x))"), evaluated together with its exact derivatives by b1, b2, ….
///
/// Numbers, `+ − * /`, powers `^` and `**` (to the right, above unary minus), parentheses or brackets,
/// `exp log ln log10 log2 sqrt sin cos tan arcsin arccos arctan sinh cosh tanh abs`, `pi`, `e` only inside numbers,
/// parameters b1…bN, and the predictor names given.
package struct ModelExpression: Sendable {
    indirect enum Node: Sendable {
        case number(Double)
        case parameter(Int)
        case predictor(Int)
        case negative(Node)
        case sum(Node, Node)
        case difference(Node, Node)
        case product(Node, Node)
        case quotient(Node, Node)
        case power(Node, Node)
        case function(Function, Node)
    }

    enum Function: String, Sendable, CaseIterable {
        case exp, log, ln, log10, log2, sqrt, sin, cos, tan, asin, acos, atan, arcsin, arccos, arctan, sinh, cosh, tanh,
            abs
    }

    package let text: String
    /// Highest index of a parameter used: b1…bN.
    package let parameterCount: Int
    package let predictors: [String]
    let root: Node

    /// - Parameters:
    ///   - text: right-hand side; a left-hand side up to "=" or "~" is dropped, as is a trailing "+ e".
    ///   - predictors: names of the inputs, in the order `evaluate` will be given them.
    /// - Throws: `MetrologyError.badModel` with the position.
    package init(_ text: String, predictors: [String]) throws(MetrologyError) {
        self.text = text
        self.predictors = predictors
        var parser = ModelExpressionParser(text: text, predictors: predictors)
        root = try parser.parse()
        parameterCount = parser.highestParameter
    }

    /// Value and gradient by the parameters at one point; nil where it is not finite.
    package func evaluate(parameters b: [Double], predictors x: [Double]) -> (value: Double, gradient: [Double])? {
        let dual = Self.evaluate(root, b, x)
        guard dual.value.isFinite, dual.gradient.allSatisfy(\.isFinite) else { return nil }
        return (dual.value, dual.gradient)
    }

    private struct Dual {
        var value: Double
        var gradient: [Double]

        func chained(_ value: Double, _ slope: Double) -> Dual {
            Dual(value: value, gradient: gradient.map { $0 == 0 ? 0 : $0 * slope })
        }
    }

    private static func combine(_ a: Dual, _ b: Dual, _ value: Double, _ da: Double, _ db: Double) -> Dual {
        var gradient = a.gradient
        for k in gradient.indices {
            gradient[k] = (a.gradient[k] == 0 ? 0 : a.gradient[k] * da) + (b.gradient[k] == 0 ? 0 : b.gradient[k] * db)
        }
        return Dual(value: value, gradient: gradient)
    }

    private static func evaluate(_ node: Node, _ b: [Double], _ x: [Double]) -> Dual {
        let zero = [Double](repeating: 0, count: b.count)
        switch node {
        case .number(let value): return Dual(value: value, gradient: zero)
        case .predictor(let k): return Dual(value: x[k], gradient: zero)
        case .parameter(let k):
            var gradient = zero
            gradient[k] = 1
            return Dual(value: b[k], gradient: gradient)
        case .negative(let a):
            let d = evaluate(a, b, x)
            return d.chained(-d.value, -1)
        case .sum(let l, let r):
            let (p, q) = (evaluate(l, b, x), evaluate(r, b, x))
            return combine(p, q, p.value + q.value, 1, 1)
        case .difference(let l, let r):
            let (p, q) = (evaluate(l, b, x), evaluate(r, b, x))
            return combine(p, q, p.value - q.value, 1, -1)
        case .product(let l, let r):
            let (p, q) = (evaluate(l, b, x), evaluate(r, b, x))
            return combine(p, q, p.value * q.value, q.value, p.value)
        case .quotient(let l, let r):
            let (p, q) = (evaluate(l, b, x), evaluate(r, b, x))
            let value = p.value / q.value
            return combine(p, q, value, 1 / q.value, -value / q.value)
        case .power(let l, let r): return power(evaluate(l, b, x), evaluate(r, b, x))
        case .function(let f, let a): return apply(f, evaluate(a, b, x))
        }
    }

    private static func power(_ p: Dual, _ q: Dual) -> Dual {
        let constant = q.gradient.allSatisfy { $0 == 0 }
        if constant, q.value == q.value.rounded(), Swift.abs(q.value) <= 64 {
            let n = Int(q.value)
            let slope = n == 0 ? 0 : Double(n) * whole(p.value, n - 1)
            return p.chained(whole(p.value, n), slope)
        }
        let value = pow(p.value, q.value)
        if constant { return p.chained(value, q.value * pow(p.value, q.value - 1)) }
        return combine(p, q, value, q.value * pow(p.value, q.value - 1), value * Foundation.log(p.value))
    }

    private static func whole(_ x: Double, _ n: Int) -> Double {
        if n < 0 { return 1 / whole(x, -n) }
        var (result, factor, rest) = (1.0, x, n)
        while rest > 0 {
            if rest & 1 == 1 { result *= factor }
            factor *= factor
            rest >>= 1
        }
        return result
    }

    private static func apply(_ f: Function, _ d: Dual) -> Dual {
        let x = d.value
        switch f {
        case .exp:
            let value = Foundation.exp(x)
            return d.chained(value, value)
        case .log, .ln: return d.chained(Foundation.log(x), 1 / x)
        case .log10: return d.chained(Foundation.log10(x), 1 / (x * M_LN10))
        case .log2: return d.chained(Foundation.log2(x), 1 / (x * M_LN2))
        case .sqrt: return d.chained(x.squareRoot(), 0.5 / x.squareRoot())
        case .sin: return d.chained(Foundation.sin(x), Foundation.cos(x))
        case .cos: return d.chained(Foundation.cos(x), -Foundation.sin(x))
        case .tan:
            let t = Foundation.tan(x)
            return d.chained(t, 1 + t * t)
        case .asin, .arcsin: return d.chained(Foundation.asin(x), 1 / (1 - x * x).squareRoot())
        case .acos, .arccos: return d.chained(Foundation.acos(x), -1 / (1 - x * x).squareRoot())
        case .atan, .arctan: return d.chained(Foundation.atan(x), 1 / (1 + x * x))
        case .sinh: return d.chained(Foundation.sinh(x), Foundation.cosh(x))
        case .cosh: return d.chained(Foundation.cosh(x), Foundation.sinh(x))
        case .tanh:
            let t = Foundation.tanh(x)
            return d.chained(t, 1 - t * t)
        case .abs: return d.chained(Swift.abs(x), x < 0 ? -1 : 1)
        }
    }
}
