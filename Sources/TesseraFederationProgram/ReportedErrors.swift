internal import SystemPackage
public import TesseraCommandLine
public import TesseraConfiguration
public import TesseraData
public import TesseraDeployment
public import TesseraFederation
public import TesseraProvisioning
public import TesseraRun

// The kinds of failures that `--json` tells: the codes of the errors, which docs/commands.md lists.

extension DeploymentError: ReportableError {
  /// The error's code.
  public var reportedKind: String { code.description }
}

extension ProvisioningError: ReportableError {
  /// The error's code.
  public var reportedKind: String { code.description }
}

extension FederationError: ReportableError {
  /// The error's code.
  public var reportedKind: String { code.description }
}

extension RunError: ReportableError {
  /// The error's code.
  public var reportedKind: String { code.description }
}

extension DataError: ReportableError {
  /// The error's code.
  public var reportedKind: String { code.description }
}

extension ConfigurationError: ReportableError {
  /// The error's code.
  public var reportedKind: String { "invalidConfiguration" }

  /// The key that is wrong first; the file if it is wrong as a whole.
  public var reportedField: String? {
    guard let first = problems.first else { return nil }
    return first.keyPath.isEmpty ? first.file.string : first.keyPath
  }
}
