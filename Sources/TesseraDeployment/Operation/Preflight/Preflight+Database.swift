internal import TesseraProvisioning

extension Preflight {
  /// The database that two servers share.
  func sharedState(of kit: StartupKit) -> [PreflightFinding] {
    guard let database else { return [] }
    do {
      let (name, version) = try PostgreSQLSchema.look(at: database, for: kit.project)
      let tables =
        version.map { "has tables of version \($0)" } ?? "has no tables yet; the server makes them"
      return [PreflightFinding(.databaseGood, "The server can use \(name), which \(tables).")]
    } catch let error as DeploymentError where error.code == .cannotRead {
      return [PreflightFinding(.databaseNewer, "\(error.message).")]
    } catch let error as DeploymentError where error.code == .notAllowed {
      return [PreflightFinding(.databaseRefused, "\(error.message).")]
    } catch {
      return [PreflightFinding(.databaseUnreachable, "\(error).")]
    }
  }
}
