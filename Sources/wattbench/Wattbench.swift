import ArgumentParser

@main
struct Wattbench: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "wattbench",
        abstract: "Measures boards at 1 kHz while they learn, and plans how they spend less carbon.",
        subcommands: []
    )
}
