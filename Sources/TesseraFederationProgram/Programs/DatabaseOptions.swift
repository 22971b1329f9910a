internal import ArgumentParser
internal import Foundation

/// Where two servers behind one address keep what they must not forget.
struct DatabaseOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "The PostgreSQL database of two servers behind one address, one of which acts; $TESSERA_DATABASE if not given.",
      discussion:
        "With a password in it, use $TESSERA_DATABASE: others on the machine can read command lines. A file ~/.pgpass does as well.",
      valueName: "postgresql://…"
    )
  )
  var database: String?

  /// The variable that names it.
  static let variable = "TESSERA_DATABASE"

  /// The database; `nil` if the server keeps its state itself.
  var address: String? {
    let address = database ?? ProcessInfo.processInfo.environment[Self.variable]
    return address?.isEmpty == false ? address : nil
  }
}
