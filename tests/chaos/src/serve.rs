//! `make mesh`: the deployment for a person to look at.

use anyhow::Result;

use crate::{
    judge::interrupted,
    mesh::{Mesh, PASSWORD, PEOPLE, Place, REPLICAS, SERVICES},
    servers::Server,
};

/// Serves until Ctrl-C or SIGTERM, then ends everything that it started.
#[expect(clippy::print_stdout, reason = "a command line tool")]
pub(crate) async fn serve(place: Place) -> Result<()> {
    println!("starting RabbitMQ, PostgreSQL, Redis and {} processes", SERVICES.len() * REPLICAS + 1);
    let mut mesh = Mesh::start(place).await?;
    for service in SERVICES {
        let door = mesh.door(service)?;
        let behind: Vec<String> = door.behind().iter().map(|port| format!("127.0.0.1:{port}")).collect();
        println!("{service:<10} 127.0.0.1:{} before {}", door.port, behind.join(" and "));
    }
    for server in Server::ALL {
        println!("{:<10} 127.0.0.1:{}", server.name(), mesh.servers.port(server)?);
    }
    println!("logs:      {}/*.log", mesh.folder.display());
    println!("desk:      http://127.0.0.1:{}/", mesh.door("desk")?.port);
    println!("widget:    http://127.0.0.1:{}/webchat/site", mesh.door("webchat")?.port);
    println!("simulator: http://127.0.0.1:{}/simulator", mesh.simulator);
    println!("sign-in: {} {PASSWORD}", PEOPLE[0]);
    interrupted().await;
    println!("ending {} processes and the servers", SERVICES.len() * REPLICAS + 1);
    mesh.stop().await
}
