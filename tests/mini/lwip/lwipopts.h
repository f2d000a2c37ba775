/* SPDX-License-Identifier: MIT */
/*
 * The lwIP that the mini guest has: one thread, the raw interface, IPv4 with TCP; memory that is
 * there from the start.
 */
#ifndef MINI_LWIP_OPTS_H
#define MINI_LWIP_OPTS_H

#define NO_SYS               1
#define SYS_LIGHTWEIGHT_PROT 0
#define LWIP_NETCONN         0
#define LWIP_SOCKET          0
#define LWIP_STATS           0
#define LWIP_IPV6            0
#define LWIP_DHCP            1
#define LWIP_ARP             1
#define LWIP_ICMP            1
#define LWIP_RAW             0
#define LWIP_UDP             1
#define LWIP_TCP             1
#define LWIP_SINGLE_NETIF    1

#define MEM_ALIGNMENT             8
#define MEM_SIZE                  (1024 * 1024)
#define MEMP_NUM_PBUF             64
#define MEMP_NUM_TCP_PCB          16
#define MEMP_NUM_TCP_SEG          512
#define PBUF_POOL_SIZE            256
#define PBUF_POOL_BUFSIZE         1536
#define TCP_MSS                   1460
#define TCP_WND                   (22 * TCP_MSS)
#define TCP_SND_BUF               (22 * TCP_MSS)
#define TCP_SND_QUEUELEN          (4 * TCP_SND_BUF / TCP_MSS)
#define TCP_LISTEN_BACKLOG        1
/* A connection that a test has ended is nobody's soon. */
#define TCP_MSL                   1000
#define LWIP_NETIF_TX_SINGLE_PBUF 1

#endif
