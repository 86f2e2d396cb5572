import Testing

@testable import BoardControl

@Suite struct LibGPIODTests {
    @Test func theLibraryTellsItsVersion() {
        let version = LibGPIOD.version
        #expect(version.api == 1 || version.api == 2)
        #expect(version.text.contains("."))
    }

    @Test func aChipThatIsNotThereIsNamed() {
        #expect(throws: GPIOFailure.chipNotFound("gpiochip-none")) {
            try LibGPIOD.lineCount(ofChip: "gpiochip-none")
        }
    }

    @Test(arguments: LineRole.allCases.filter(\.mustBeOpenDrain))
    func aLineThatCouldBackFeedIsRefusedBeforeAnyChipIsTouched(role: LineRole) {
        let address = LineAddress(chip: "gpiochip-none", offset: 0)
        let pushPull = LineRequest(address: address, role: role, board: "pi01", mode: .pushPull, activeLow: true)
        #expect(throws: GPIOFailure.wouldBackFeed(address, role)) {
            try LibGPIOD().request([pushPull], consumer: "test")
        }
        let activeHigh = LineRequest(address: address, role: role, board: "pi01", mode: .openDrain, activeLow: false)
        #expect(throws: GPIOFailure.wouldBackFeed(address, role)) {
            try LibGPIOD().request([activeHigh], consumer: "test")
        }
    }

    @Test func aLineIsUsedOnlyAfterItsRequest() {
        let address = LineAddress(chip: "gpiochip0", offset: 3)
        #expect(throws: GPIOFailure.notRequested(address)) { try LibGPIOD().set(address, asserted: true) }
    }
}
