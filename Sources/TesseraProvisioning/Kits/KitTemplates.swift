/// The texts in start-up kits.
enum KitTemplates {
  static func startScript(for participant: Participant) -> String {
    let command =
      participant.kind == .user ? "console" : participant.kind.rawValue
    return """
      #!/bin/sh
      # Starts \(participant.name), a \(participant.kind.rawValue) of the federation. TESSERA names the program if it is not on the PATH.
      kit=$(CDPATH= cd -- "$(dirname -- "$0")/.." && pwd)
      exec "${TESSERA:-tessera}" federation \(command) "$kit" "$@"

      """
  }

  static func unit(for participant: Participant, in project: String) -> String {
    """
    # As root, in the kit's folder, with the command 'tessera' on the system's PATH ('./tessera install /usr/local' puts it there):
    #   useradd --system --home-dir /etc/tessera --shell /usr/sbin/nologin tessera
    #   mkdir -p /etc/tessera/\(participant.name) && cp -r . /etc/tessera/\(participant.name) && chown -R tessera: /etc/tessera/\(participant.name)
    #   cp startup/tessera-\(participant.kind.rawValue).service /etc/systemd/system/ && systemctl enable --now tessera-\(participant.kind.rawValue)
    # For a second federation on one machine: copy this file under another name, and give it another port in --operations.
    [Unit]
    Description=Tessera \(participant.kind.rawValue) \(participant.name) of the federation \(project)
    After=network-online.target
    Wants=network-online.target
    # Killed, or ended with an error, it is started again as long as it takes, be it a network or a database that is away. Ended in
    # order, by systemctl or by 'tessera federation shutdown', it stays so: its exit code is 0 then.
    StartLimitIntervalSec=0

    [Service]
    User=tessera
    # Health and metrics at loopback; take --operations away, or give it another port, if nobody asks or the port is taken.
    ExecStart=/etc/tessera/\(participant.name)/startup/start.sh --operations 127.0.0.1:7480
    LimitNOFILE=65536
    Restart=on-failure
    RestartSec=2
    NoNewPrivileges=true
    ProtectSystem=strict
    ReadWritePaths=/etc/tessera/\(participant.name)
    PrivateTmp=true

    [Install]
    WantedBy=multi-user.target

    """
  }

  static func readme(for participant: Participant, in project: String) -> String {
    let start: String
    switch participant.kind {
    case .server:
      start = """
        Start it with `startup/start.sh`, or as a service with `startup/tessera-server.service`. It listens at port \
        \(participant.port ?? Project.usualPort), the only port that has to be open.
        """
    case .site:
      start = """
        Start it with `startup/start.sh`, or as a service with `startup/tessera-site.service`. It opens one connection to the \
        server; no port has to be open here. Say in `local/data.yml` where the data are, and in `local/policy.yml` what jobs may do.
        """
    case .user:
      start = "Start the console with `startup/start.sh`."
    }
    return """
      # \(participant.name), \(participant.kind.rawValue) of the federation \(project)

      \(start)

      The files in `startup/` are signed: a kit in which one was changed is refused. `startup/own.key` and `startup/signing.key` are
      secrets. What is in `local/` is yours.

      """
  }

  /// The participant's own files, as they are at first.
  static func localFiles(for participant: Participant) -> [(name: String, text: String)] {
    switch participant.kind {
    case .user: []
    case .server: [("policy.yml", serverPolicy)]
    case .site: [("policy.yml", sitePolicy + siteFilters), ("data.yml", data)]
    }
  }

  /// The server's: who may do what there, and with what lies there.
  private static let serverPolicy = """
    # Who may do what here. What is not named is refused.
    # Conditions: any, none, own-organisation, own-submission; of a list, [own-organisation, own-submission], one must hold.
    # own-organisation: for clone, manage, download and view, the job was submitted by somebody of the person's organisation; for
    # submit, operate and run-external, the person is of the organisation of the place that is used or operated.
    # own-submission is for clone, manage, download and view. Sites have policies of their own, which can take away from this one.
    # docs/federation-files.md explains every key; a change counts from the next start.
    rights:
      project-admin: {submit: any, clone: any, manage: any, download: any, view: any, operate: any, run-external: none}
      org-admin: {submit: none, clone: none, manage: own-organisation, download: own-organisation, view: any, operate: own-organisation, run-external: none}
      lead: {submit: any, clone: own-submission, manage: own-submission, download: own-submission, view: any, operate: none, run-external: none}
      member: {submit: none, clone: none, manage: none, download: none, view: any, operate: none, run-external: none}

    """

  /// A site's: who may do what there.
  private static let sitePolicy = """
    # Who may do what here. What is not named is refused. Conditions: any, none, own-organisation.
    # What lies at the server, the server's policy decides: view, clone, manage and download. Name one of them here, and it must hold
    # as well for every job that this site takes part in, as in 'lead: {submit: any, download: own-submission}'.
    # docs/federation-files.md explains every key; a change counts from the next start.
    rights:
      project-admin: {submit: any, operate: any, run-external: none}
      org-admin: {submit: none, operate: own-organisation, run-external: none}
      lead: {submit: any, operate: none, run-external: none}
      member: {submit: none, operate: none, run-external: none}

    """

  /// What only a site has a say in.
  private static let siteFilters = """
    # Filters that every answer of this site passes, whatever a job says, after the job's own: no job can remove them.
    # `tessera federation components` lists them. {tasks: [...], results: [...]} filters tasks, too.
    filters: []
    #  - {type: clip-norm, norm: 1}
    #  - {type: gaussian-noise, noise_multiplier: 1.1, clip_norm: 1}
    # How much privacy all jobs together may spend here; without this line it is not counted.
    # privacy: {epsilon: 8, delta: 1e-6}
    # What is demanded of secure aggregation before this site takes part in it.
    # secure_aggregation: {minimum_sites: 3, minimum_threshold: 2}

    """

  private static let data = """
    # Where this site's data are, by the names that jobs know them by.
    # images: {chest: /data/chest}
    # tables: {patients: /data/patients.csv}
    # Folders or files that only programs of a job's own read, such as trainers in Python.
    # folders: {scans: /data/scans}
    # What jobs may use here together; the whole machine if not given. Memory is in GB; GPUs by how many, or by their numbers: [0, 2].
    # resources: {cores: 16, memory: 64, gpus: 1}

    """
}
