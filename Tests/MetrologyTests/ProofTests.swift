import Foundation
import Testing

@testable import Metrology

@Suite("Numerics against reference data")
struct ProofTests {
    /// −log10 of the relative error: the number of digits that agree.
    static func digits(_ estimate: Double, _ truth: Double) -> Double {
        if estimate == truth { return 17 }
        return -log10(abs(truth == 0 ? estimate : (estimate - truth) / truth))
    }

    static func digits(_ a: JSONText?, _ b: JSONText?) throws -> Double {
        if let list = b?.array {
            let other = try #require(a?.array)
            try #require(other.count == list.count)
            return try zip(other, list).map { try digits($0, $1) }.min() ?? 17
        }
        if case .object(let members) = b {
            return try members.map { try digits(a?[$0.key], $0.value) }.min() ?? 17
        }
        return digits(try #require(a?.double), try #require(b?.double))
    }

    static func load(_ path: String) throws -> JSONText {
        let url = try #require(Bundle.module.resourceURL).appending(path: "Fixtures/\(path)")
        return try JSONText(file: path, bytes: Array(try Data(contentsOf: url)))
    }

    static func files(_ folder: String) throws -> [String] {
        let url = try #require(Bundle.module.resourceURL).appending(path: "Fixtures/\(folder)")
        return try FileManager.default.contentsOfDirectory(atPath: url.path).filter { $0.hasSuffix(".json") }.sorted()
            .map { "\(folder)/\($0)" }
    }

    @Test(
        "NIST sets: linear 9 digits (Wampler4 6), nonlinear 6 from both starts, mean 13, sd 8",
        arguments: ["nist", "nist-more"])
    func nist(folder: String) throws {
        for path in try Self.files(folder) {
            let document = try Self.load(path)
            let certified = try #require(document["certified"])
            var question = document
            for key in ["certified", "certified_text", "note"] { question.remove(key) }
            let answer = try NumericProof.answer(question, file: path)
            switch document["kind"]?.text {
            case "linear":
                let d = try Self.digits(answer["params"], certified["params"])
                #expect(d >= 9, "\(path)")
            case "nonlinear":
                let d = try Self.digits(answer["params"], certified["params"])
                for start in ["start1", "start2"] {
                    let from = answer["from"]?[start]
                    let d = try Self.digits(from?["params"], certified["params"])
                    #expect(d >= 6, "\(path) \(start)")
                }
                #expect(d >= 6)
            case "univariate":
                #expect(try Self.digits(answer["mean"], certified["mean"]) >= 13)
                #expect(try Self.digits(answer["sd"], certified["sd"]) >= 8)
                #expect(try Self.digits(answer["lag1"], certified["lag1"]) >= 8)
            case "anova1":
                let d = try Self.digits(answer["between"], certified["between"])
                #expect(d >= 9)
            default: Issue.record("unknown kind in \(path)")
            }
        }
    }

    @Test("numeric problems within their tolerances, answers absent from the input")
    func numeric() throws {
        let document = try Self.load("numeric/numeric-dev.json")
        for problem in try #require(document.array) {
            let kind = try #require(problem["kind"]?.text)
            let answer = try NumericProof.answer(problem, file: "numeric")
            guard case .object(let members) = problem else { continue }
            for (key, value) in members
            where key != "true_ratio_var" && key != "note" && key != "convention" && key != "kind" {
                let d = try Self.digits(answer[key], value)
                let iterated = ["robust_irls", "segmented_one_break"].contains(kind)
                #expect(d >= (iterated ? 5 : 8), "\(kind) \(key)")
            }
        }
        let york = try Self.load("numeric/pearson-york.json")
        let line = try NumericProof.answer(york, file: "york")
        for key in ["intercept", "slope", "chi2", "se_intercept", "se_slope"] {
            #expect(try Self.digits(line[key], york[key]) >= 8, "\(key)")
        }
    }

    @Test("energy budgets: propagation to 1e-8, Monte Carlo agrees with it")
    func budgets() throws {
        let document = try Self.load("numeric/uncertainty-dev.json")
        let answer = try NumericProof.answer(document, file: "uncertainty", monteCarloDraws: 5000)
        let cases = try #require(document["cases"]?.array)
        for (expected, found) in zip(cases, try #require(answer["cases"]?.array)) {
            for key in ["E_J", "contributions_J", "u_c_J", "U_k2_J", "U_k2_pct"] {
                #expect(try Self.digits(found[key], expected[key]) >= 8, "\(key)")
            }
            #expect(try Self.digits(found["mc_mean"], expected["mc_mean"]) >= 4)
            let sd = try #require(found["mc_sd"]?.double)
            let u = try #require(expected["u_c_J"]?.double)
            #expect(abs(sd / u - 1) < 0.05)
        }
    }

    @Test(
        "the other NIST model forms, on simulated readings: both published starts reach the optimum",
        arguments: SimulatedModel.all)
    func simulated(_ model: SimulatedModel) throws {
        let question = model.problem(seed: 11)
        let answer = try NumericProof.answer(question, file: model.name)
        let optimum = try #require(answer["from"]?["start"]?["params"])
        for start in ["start1", "start2"] {
            let d = try Self.digits(answer["from"]?[start]?["params"], optimum)
            #expect(d >= 6, "\(model.name) \(start)")
        }
    }
}

/// A model of the NIST collection with its published starts, readings simulated near its certified parameters.
struct SimulatedModel: Sendable, CustomTestStringConvertible {
    var name: String
    var model: String
    var response = "y"
    var truth: [Double]
    var start1: [Double]
    var start2: [Double]
    var predictors: [String: [Double]]
    var noise: Double

    var testDescription: String { name }

    func problem(seed: UInt64) -> JSONText {
        var generator = SplitMix64(seed: seed)
        let names = predictors.keys.sorted()
        let count = predictors[names[0]]?.count ?? 0
        let expression = try? ModelExpression(model, predictors: names)
        let y = (0..<count).map { i in
            let x = names.map { predictors[$0]?[i] ?? 0 }
            let value =
                (expression?.evaluate(parameters: truth, predictors: x)?.value ?? 0) + noise * generator.normal()
            return response == "y" ? (value * 1e6).rounded() / 1e6 : (exp(value) * 100).rounded() / 100
        }
        return .object([
            ("name", .string(name)), ("kind", .string("nonlinear")), ("response", .string(response)),
            ("model", .string(model)),
            ("start1", .numbers(start1)), ("start2", .numbers(start2)), ("start", .numbers(truth)),
            ("x", .object(names.map { ($0, .numbers(predictors[$0] ?? [])) })), ("y", .numbers(y)),
        ])
    }

    static func line(_ from: Double, _ to: Double, _ count: Int) -> [Double] {
        (0..<count).map { from + (to - from) * Double($0) / Double(count - 1) }
    }

    static let all = [
        SimulatedModel(
            name: "Bennett5", model: "b1 * (b2+x)**(-1/b3)", truth: [-2523.5, 46.737, 0.93218],
            start1: [-2000, 50, 0.8],
            start2: [-1500, 45, 0.85], predictors: ["x": line(7.447, 12.6, 50)], noise: 1.8e-3),
        SimulatedModel(
            name: "Hahn1", model: "(b1+b2*x+b3*x**2+b4*x**3) / (1+b5*x+b6*x**2+b7*x**3)",
            truth: [1.0776, -0.12269, 4.0864e-3, -1.4263e-6, -5.761e-3, 2.4054e-4, -1.2314e-7],
            start1: [10, -1, 0.05, -1e-5, -0.05, 1e-3, -1e-6], start2: [1, -0.1, 0.005, -1e-6, -0.005, 1e-4, -1e-7],
            predictors: ["x": line(14, 850, 60)], noise: 0.08),
        SimulatedModel(
            name: "ENSO",
            model:
                "b1 + b2*cos(2*pi*x/12) + b3*sin(2*pi*x/12) + b5*cos(2*pi*x/b4) + b6*sin(2*pi*x/b4) + b8*cos(2*pi*x/b7) + b9*sin(2*pi*x/b7)",
            truth: [10.511, 3.0762, 0.5328, 44.311, -1.6231, 0.52554, 26.888, 0.21232, 1.4967],
            start1: [11, 3, 0.5, 40, -0.7, -1.3, 25, -0.3, 1.4], start2: [10, 3, 0.5, 44, -1.5, 0.5, 26, -0.1, 1.5],
            predictors: ["x": line(2, 168, 84)], noise: 2.2),
        SimulatedModel(
            name: "Nelson", model: "b1 - b2*x1 * exp[-b3*x2]", response: "log(y)",
            truth: [2.5907, 5.6178e-9, -5.7701e-2],
            start1: [2, 1e-4, -0.01], start2: [2.5, 5e-9, -0.05],
            predictors: [
                "x1": (0..<128).map { [1, 2, 4, 8, 16, 32, 48, 64][$0 / 16] },
                "x2": (0..<128).map { [180, 225, 250, 275][($0 / 4) % 4] },
            ], noise: 0.17),
        SimulatedModel(
            name: "Gauss2", model: "b1*exp( -b2*x ) + b3*exp( -(x-b4)**2 / b5**2 ) + b6*exp( -(x-b7)**2 / b8**2 )",
            truth: [99.018, 0.010995, 101.88, 107.03, 23.579, 72.046, 153.27, 19.526],
            start1: [96, 0.009, 103, 106, 18, 72, 151, 18], start2: [98, 0.0105, 103, 105, 20, 73, 150, 20],
            predictors: ["x": line(2, 250, 125)], noise: 2.3),
        SimulatedModel(
            name: "Gauss3", model: "b1*exp( -b2*x ) + b3*exp( -(x-b4)**2 / b5**2 ) + b6*exp( -(x-b7)**2 / b8**2 )",
            truth: [98.940, 0.010946, 100.70, 111.64, 23.301, 73.705, 147.76, 19.668],
            start1: [94.9, 0.009, 90.1, 113, 20, 73.8, 140, 20], start2: [96, 0.0096, 80, 110, 25, 74, 139, 25],
            predictors: ["x": line(2, 250, 125)], noise: 2.3),
        SimulatedModel(
            name: "Chwirut2", model: "exp(-b1*x)/(b2+b3*x)", truth: [0.16658, 5.1653e-3, 1.2150e-2],
            start1: [0.1, 0.01, 0.02],
            start2: [0.15, 0.008, 0.010], predictors: ["x": line(0.5, 6, 54)], noise: 3),
    ]
}
