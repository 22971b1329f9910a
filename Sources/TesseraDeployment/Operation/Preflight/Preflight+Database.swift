internal import TesseraProvisioning

extension Preflight {
  /// The database that two servers share.
  func sharedState(of kit: StartupKit) -> [PreflightFinding] {
    guard let database else {
      let servers = kit.participants.entries.count { $0.participant.kind == .server }
      guard kit.participant.kind == .server, servers > 1 else { return [] }
      return [
        PreflightFinding(
          .databaseMissing,
          "The federation has two servers, and nothing says which database they share."
        )
      ]
    }
    do {
      let (name, version, isProtected) = try PostgreSQLSchema.look(at: database, for: kit.project)
      let tables =
        version.map { "has tables of version \($0)" } ?? "has no tables yet; the server makes them"
      let good = PreflightFinding(.databaseGood, "The server can use \(name), which \(tables).")
      guard !isProtected else { return [good] }
      return [
        good,
        PreflightFinding(
          .databaseInTheClear,
          "What travels to \(name) is not encrypted: models, and secrets that noise comes from."
        ),
      ]
    } catch let error as DeploymentError where error.code == .cannotRead {
      return [PreflightFinding(.databaseNewer, "\(error.message).")]
    } catch let error as DeploymentError where error.code == .notAllowed {
      return [PreflightFinding(.databaseRefused, "\(error.message).")]
    } catch {
      return [PreflightFinding(.databaseUnreachable, "\(error).")]
    }
  }
}
