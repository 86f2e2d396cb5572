import ArgumentParser

struct Calibrate: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "calibrate",
        abstract: "Fits meters, power models and clocks from files or from recorded runs.",
        discussion: "Example: wattbench calibrate trace recordings/pi01 --json",
        subcommands: [
            CalibrateModels.self,
            CalibrateMeter.self,
            CalibrateStatic.self,
            CalibrateDynamic.self,
            CalibrateTrace.self,
            CalibrateClock.self,
            CalibrateChanges.self,
        ]
    )
}
