internal import ArgumentParser
internal import TesseraCommandLine
internal import TesseraDeployment
internal import TesseraFederationGRPC

struct Disable: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Gives a site no new jobs; what it works at goes on."
  )

  @Argument(help: "The site.") var site: String
  @OptionGroup var console: ConsoleOptions

  func run() async throws {
    let site = site
    try await console.act("disabled", site) { try await $0.set(site, isDisabled: true) }
  }
}

struct Enable: AsyncParsableCommand {
  static let configuration = CommandConfiguration(abstract: "Gives a site new jobs again.")

  @Argument(help: "The site.") var site: String
  @OptionGroup var console: ConsoleOptions

  func run() async throws {
    let site = site
    try await console.act("enabled", site) { try await $0.set(site, isDisabled: false) }
  }
}

struct Remove: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Ends a site's connection, and gives it no new jobs.",
    discussion:
      "It can connect again as long as its certificate is good: 'revoke' keeps it out for good."
  )

  @Argument(help: "The site.") var site: String
  @OptionGroup var console: ConsoleOptions

  func run() async throws {
    let site = site
    try await console.act("removed", site) { try await $0.remove(site) }
  }
}

struct Restart: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Restarts the server, or a site; jobs go on where they were."
  )

  @Argument(help: "The site; the server if not given.") var site: String?
  @OptionGroup var console: ConsoleOptions

  func run() async throws {
    let site = site
    try await console.act("restarting", site ?? "the server") {
      try await $0.operate(.restart, at: site)
    }
  }
}

struct Shutdown: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Stops the server, or a site; jobs go on when it is started again."
  )

  @Argument(help: "The site; the server if not given.") var site: String?
  @OptionGroup var console: ConsoleOptions

  func run() async throws {
    let site = site
    try await console.act("shutting down", site ?? "the server") {
      try await $0.operate(.shutdown, at: site)
    }
  }
}

struct LogLevel: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Says how much the server, or a site, logs from now on."
  )

  @Argument(help: "The least that is logged.") var level: ProgramOptions.Level
  @Argument(help: "The site; the server if not given.") var site: String?
  @OptionGroup var console: ConsoleOptions

  func run() async throws {
    let (site, level) = (site, level)
    try await console.act("logs at level \(level.rawValue)", site ?? "the server") {
      try await $0.operate(.logLevel(level.rawValue), at: site)
    }
  }
}

extension ConsoleOptions {
  /// Has something done to a site or the server, and says so.
  fileprivate func act(
    _ what: String,
    _ whom: String,
    _ body: @escaping @Sendable (FederationConsole) async throws -> Void
  ) async throws {
    try await reportingErrors {
      try await connected(body)
      try answer.say([what: whom], ["\(whom): \(what)"])
    }
  }
}
