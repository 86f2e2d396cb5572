import Testing

@testable import DETA

@Suite struct LargeFleetTests {
    static let instance: Instance = {
        var generator = InstanceGenerator()
        generator.servers = 8
        generator.slots = 8
        generator.roundSlots = 4
        return generator.instance(seed: 3)
    }()

    @Test func theLagrangianBoundIsBelowTheOptimumAndNotFar() throws {
        for variant in [Variant.dat, .deta] {
            let planner = TestSolver.planner(gap: 1e-3)
            let exact = try planner.solve(Self.instance, variant)
            let formulation = Formulation(Self.instance, variant: variant)
            let bound = try LagrangianBound(planner: planner, instance: Self.instance, variant: variant).prove(
                formulation, prices: (exact.energyPrices, exact.workPrices), control: nil)
            let objective = try #require(exact.objectiveG)
            #expect(bound <= objective)
            #expect(bound > 0.5 * objective)
        }
    }

    @Test func partsKeepEveryRuleAndNeverMakeAPlanWorse() throws {
        var planner = TestSolver.planner(gap: 1e-3)
        planner.options.threads = 2
        let awake = [Bool](repeating: true, count: 64)
        let start = try #require(try planner.solve(Self.instance, .deta, awake: awake).schedule)
        let search = PartwiseSearch(planner: planner, instance: Self.instance, variant: .deta)
        let separate = try search.separately(start, until: 10, control: nil, stopwatch: Stopwatch())
        let better = try search.improve(separate, until: 3, control: nil, stopwatch: Stopwatch())
        #expect(separate.objective(of: Self.instance) < start.objective(of: Self.instance))
        #expect(better.objective(of: Self.instance) <= separate.objective(of: Self.instance) + 1e-9)
        var answer = Answer(instance: "large", solver: "parts")
        answer.variants = [
            (
                .deta,
                VariantAnswer(
                    status: .optimal, objectiveG: better.objective(of: Self.instance), boundG: nil, schedule: better)
            )
        ]
        let file = try AnswerFile(json: answer.json(), servers: 8, slots: 8)
        let report = try #require(Audit.run(file.claims[0], instance: Self.instance))
        #expect(report.findings == [])
    }
}
