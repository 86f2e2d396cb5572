import Testing

@testable import BoardControl

@Suite struct LineRoleTests {
    @Test func linesThatReachIntoADeadBoardAreOpenDrain() {
        #expect(LineRole.allCases.filter(\.mustBeOpenDrain) == [.globalEnable, .run, .gpio3Wake, .shutdownRequest])
    }
}
