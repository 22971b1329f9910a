internal import ArgumentParser
internal import TesseraCommandLine

/// The program's commands.
struct FederationCommands: CommandLineProgram {
  // What the program is called is known when it runs.
  static var configuration: CommandConfiguration {
    CommandConfiguration(
      commandName: FederationProgram.name,
      abstract: "Federations of several machines: kits, servers, sites, and jobs at them.",
      groupedSubcommands: [
        CommandGroup(
          name: "Trying it out",
          subcommands: [Poc.self]
        ),
        CommandGroup(
          name: "Kits",
          subcommands: [
            Provision.self, RequestCertificate.self, Approve.self, Renew.self, Revoke.self,
            Check.self,
          ]
        ),
        CommandGroup(name: "Audit", subcommands: [Audit.self]),
        CommandGroup(
          name: "Programs",
          subcommands: [ServerProgram.self, SiteProgram.self, Console.self]
        ),
        CommandGroup(
          name: "Jobs",
          subcommands: [
            Submit.self, ListJobs.self, ShowJob.self, JobLog.self, Watch.self, Abort.self,
            Clone.self, Download.self, DeleteJob.self,
          ]
        ),
        CommandGroup(
          name: "Sites",
          subcommands: [
            Sites.self, SiteInfo.self, Disable.self, Enable.self, Remove.self, Restart.self,
            Shutdown.self, LogLevel.self,
          ]
        ),
      ]
    )
  }
}
