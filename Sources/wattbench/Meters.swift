import ArgumentParser

struct Meters: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Finds, watches and identifies the meters that are plugged in.",
        discussion: "Example: wattbench meters list",
        subcommands: [
            MetersList.self,
            MetersWatch.self,
        ]
    )
}
